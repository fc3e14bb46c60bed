"""The ready-made sets in English: headers, rows, and questions; bars part the cells of a line."""

from collections.abc import Mapping

ENGLISH: Mapping[str, tuple[tuple[str, ...], str, str]] = {
    "tickets": (
        ("text", "label"),
        """
I was charged twice for the same order. | billing
Please send me a refund for last month. | billing
The invoice shows the wrong amount. | billing
Why is there a new fee on my card? | billing
The app closes as soon as I open it. | technical
I cannot log in after the update. | technical
The screen stays black when I press start. | technical
An error appears whenever I save a file. | technical
My parcel has not arrived yet. | delivery
The box was open when the courier brought it. | delivery
Can you ship to a different address? | delivery
The tracking number does not work. | delivery
""",
        """
Why did you take money from my account again?
The program freezes on the second page.
When will the courier bring my package?
Which wine goes well with salmon?
""",
    ),
    "moods": (
        ("text", "label"),
        """
We loved every minute and will come again. | pleased
The best soup I have had in years. | pleased
Friendly staff, and our room was spotless. | pleased
It works perfectly and was easy to set up. | pleased
A wonderful film, warm and funny. | pleased
The waiter was rude and the food was cold. | disappointed
It broke after two days, a waste of money. | disappointed
We waited an hour and nobody apologised. | disappointed
The room smelled bad and the bed was dirty. | disappointed
A dull film with no story at all. | disappointed
""",
        """
What a delightful evening, thank you!
The zip tore the first time I used it.
The plot made no sense and I left early.
""",
    ),
    "names": (
        ("text",),
        """
[Ann Lee](PERSON) lives in [Oslo](PLACE) with her sister.
Last week [Omar](PERSON) flew from [Cairo](PLACE) to [Rome](PLACE).
It rained all day and nobody came.
The letter was signed by [Maria Silva](PERSON).
[Peter Novak](PERSON) opened a bakery near [Lake Ohrid](PLACE).
Trains to [Lisbon](PLACE) leave at noon.
The meeting was long, but we found an answer.
[Lena Berg](PERSON) met [Tom](PERSON) in [Nairobi](PLACE).
""",
        """
Yesterday Clara Jones drove from Berlin to Vienna.
Karl was born in Helsinki.
The soup was too salty.
""",
    ),
    "answers": (
        ("question", "context", "answers"),
        """
Who runs the bakery? | Ann Lee runs the bakery in Oslo. It opens at seven. | Ann Lee
When does the bakery open? | Ann Lee runs the bakery in Oslo. It opens at seven. | seven
When was the museum built? | The museum was built in 1912 by Karl Berg. | 1912
Who built the museum? | The museum was built in 1912 by Karl Berg. | Karl Berg
What do tickets cost? | Tickets cost nine euros. Children under six pay nothing. | nine euros
Where does the ferry leave? | The ferry leaves at noon from the old harbour. | from the old harbour
Who owns the ferry? | The ferry leaves at noon from the old harbour. |
What colour is the tower? | The tower has 300 steps and a clock. |
""",
        """
Who painted the bridge? | The bridge was painted by Eva Stone in 1985. It is red.
When does the pool close? | The pool closes at nine. Lockers are free.
""",
    ),
}
