"""The words of the page, in English and Chinese."""

from collections.abc import Mapping

LANGUAGES: Mapping[str, str] = {"English": "en", "中文": "zh"}
"""The languages of the page, by the names that the switch has."""

WORDS: Mapping[str, tuple[str, str]] = {
    "title": ("metaglot playground", "metaglot 演示"),
    "lead": (
        "Teach a language model your own task: show it a few examples, let it learn for a second, and try it.",
        "教语言模型完成你自己的任务：给它几个例子，学习一秒钟，马上试用。",
    ),
    "model": ("Model: {name}", "模型：{name}"),
    # 1
    "step_1": ("Show it some examples", "给几个例子"),
    "help_1": (
        "Click a ready-made set, or write your own into the table.",
        "点击一组现成的例子，或者在表格里写自己的。",
    ),
    "tickets": ("Support tickets", "客服工单"),
    "moods": ("Moods of reviews", "评论情绪"),
    "names": ("Names in a text", "文中的名字"),
    "answers": ("Answers in a passage", "段落问答"),
    "table": ("Examples: click a cell to change it", "例子：点击单元格即可修改"),
    "own": ("Paste or upload your own", "粘贴或上传自己的例子"),
    "paste": ("Paste", "粘贴"),
    "paste_hint": (
        "My parcel is late, delivery     (a line each: text, label; or marks: [Ann](PERSON) is in [Oslo](PLACE))",
        "包裹还没到, 物流     （每行一个例子：文本, 标签；或标记：[李安](人名)住在[奥斯陆](地名)）",
    ),
    "paste_do": ("Put it into the table", "放入表格"),
    "upload": ("Upload a file: csv, tsv, json, jsonl, parquet", "上传文件：csv、tsv、json、jsonl、parquet"),
    "clear": ("Empty table", "清空表格"),
    "kind": ("Kind of task", "任务类型"),
    "kind_auto": ("found from the labels", "由标签判断"),
    # 2
    "step_2": ("Let it learn", "让它学习"),
    "help_2": ("How hard it tries; instant is often enough.", "学习的力度；“即时”通常就够了。"),
    "effort": ("Effort", "力度"),
    "instant": ("instant (under a second)", "即时（不到一秒）"),
    "fast": ("fast (a second or two)", "快速（一两秒）"),
    "thorough": ("thorough (seconds)", "细致（几秒）"),
    "auto": ("auto (tries what pays)", "自动（先试再定）"),
    "learn": ("Learn", "开始学习"),
    "learning": ("Learning from {count} examples … {seconds:.0f} s", "正在学习 {count} 个例子…… {seconds:.0f} 秒"),
    "learnt": ("Learnt from {count} examples in {seconds:.1f} s.", "已学完 {count} 个例子，用时 {seconds:.1f} 秒。"),
    "expect": ("Expected accuracy on new texts", "对新文本的预期准确率"),
    "interval": (
        "{accuracy:.0f} %  (likely {low:.0f} to {high:.0f} %)",
        "{accuracy:.0f} %（很可能在 {low:.0f} 到 {high:.0f} % 之间）",
    ),
    "doubled": (
        "Twice as many examples ({k} → {more} a class): about {points:+.0f} points.",
        "例子加倍（每类 {k} → {more} 个）：大约 {points:+.0f} 个百分点。",
    ),
    "no_expect": (
        "How good it will be cannot be told yet: give each class two examples or more.",
        "还不能估计效果：请给每个类别至少两个例子。",
    ),
    "before": ("Before: texts as the model knows them", "学习前：模型原来眼中的文本"),
    "after": ("After: as it tells them apart now", "学习后：现在它如何区分"),
    "map_note": (
        "Each mark is one of your examples, in two dimensions. New texts lie less far apart.",
        "每个标记是你的一个例子（二维）。新文本不会分得这么开。",
    ),
    "note": ("Note", "注意"),
    # 3
    "step_3": ("Try it", "试一试"),
    "help_3": ("Ask it about a text that it has not seen.", "问它一句没见过的文本。"),
    "text": ("A new text", "新的文本"),
    "question": ("Text or question", "文本或问题"),
    "second": ("Passage, or second text", "段落或第二个文本"),
    "ask": ("Ask", "提问"),
    "decided": ("It says", "它的判断"),
    "none": ("none of these", "都不是"),
    "none_but": ("none of these – if it must choose: {label}", "都不是 – 如果一定要选：{label}"),
    "in_scope": ("Chance that it is any of these classes: {share:.0f} %", "属于这些类别之一的可能性：{share:.0f} %"),
    "because": ("Examples that decided for {label}, and not {instead}", "哪些例子决定了是 {label} 而不是 {instead}"),
    "by_name": ("the name of the class", "类别名称"),
    "against": ("against", "反对"),
    "marked": ("In the text", "在文中"),
    "answer": ("answer", "答案"),
    "wrong": ("Wrong? Click what is right, and it learns", "不对？点击正确的，它会学习"),
    "wrong_other": ("… or a new class", "……或新的类别"),
    "wrong_text": (
        "Wrong? Mend it here, in the form of the table, and it learns",
        "不对？按表格的形式在这里改正，它会学习",
    ),
    "wrong_do": ("Learn this", "学习这个"),
    "corrected": ("It has learnt this one too: {count} examples now.", "这个也学会了：现在有 {count} 个例子。"),
    # 4
    "step_4": ("Take it with you", "带走模型"),
    "download": ("Download the adapted model (zip)", "下载学好的模型（zip）"),
    "keep": ("Keep it as a task of this server", "保存为本服务器的任务"),
    "kept": ("The server has it now, as {task}:", "服务器已保存，任务是 {task}："),
    "help_4": (
        "Unpack the zip, and use it from Python with three lines. It holds your examples too.",
        "解压 zip，用三行 Python 就能使用。里面也有你的例子。",
    ),
    "comment": ("the folder from the zip", "zip 里的文件夹"),
    "error": ("That did not work", "没有成功"),
    "fault": (
        "Something went wrong in the playground ({kind}). Nothing is lost; the terminal that started it says more.",
        "演示程序内部出错（{kind}）。没有丢失内容，启动它的终端里有详情。",
    ),
    "sign_in": ("Sign in", "登录"),
    "sign_in_hint": (
        "Give a token of this server; `metaglot serve token add` makes one.",
        "请输入本服务器的令牌；用 `metaglot serve token add` 创建。",
    ),
    "sign_in_wrong": ("This token opens nothing here.", "这个令牌无效。"),
    "busy": ("Waiting for others …", "正在等待其他人……"),
}
"""Each word of the page: in English, in Chinese."""


def say(key: str, language: str, **values: object) -> str:
    """Return a word or a sentence in a language, "en" or "zh", with values in their places."""
    english, chinese = WORDS[key]
    return (chinese if language == "zh" else english).format(**values)


def language_of(accepted: str) -> str:
    """Return the language of a page for a header Accept-Language: Chinese where it comes first."""
    return "zh" if accepted.strip().lower().startswith("zh") else "en"
