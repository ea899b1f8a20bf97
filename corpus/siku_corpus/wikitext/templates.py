"""The templates that hold running text, and what of them is text.

All others vanish: infoboxes, navigation, maintenance notices, citations. To expand them would take the wiki's
own template pages and Lua modules.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from siku_corpus.wikitext.marks import HOLE


class Arguments:
    """Of one use of a template."""

    def __init__(self, positional: list[str], named: dict[str, str]) -> None:
        self.positional = positional
        """From 1; index 0 is "", and an explicit `2=` counts too."""
        self.named = named

    def __getitem__(self, place: int | str) -> str:
        """The argument with a number or a name, or ""."""
        if isinstance(place, str):
            return self.named.get(place, "")
        return self.positional[place] if place < len(self.positional) else ""


def read_arguments(parts: list[str]) -> Arguments:
    """The arguments among what the bars of a template separate, without its name."""
    unnamed: list[str] = []
    named: dict[str, str] = {}
    for part in parts:
        name, equals, value = part.partition("=")
        if equals:
            named[name.strip()] = value.strip()
        else:
            unnamed.append(part.strip())
    numbered = {str(place): text for place, text in enumerate(unnamed, 1)} | named
    last = max((place for place in range(1, len(parts) + 1) if str(place) in numbered), default=0)
    return Arguments([numbered.get(str(place), "") for place in range(last + 1)], named)


Take = int | Callable[[Arguments], str]


def _first_of(*places: int | str) -> Callable[[Arguments], str]:
    return lambda arguments: next((arguments[place] for place in places if arguments[place]), "")


def _last(arguments: Arguments) -> str:
    return arguments.positional[-1]


def _quotation(arguments: Arguments) -> str:
    text = arguments["text"] or arguments["quote"] or arguments[1]
    return f"\n{text}\n" if text else ""


def _nihongo(arguments: Arguments) -> str:
    inner = ", ".join(part for part in arguments.positional[2:4] if part)
    return f"{arguments[1]} ({inner})" if inner else arguments[1]


def _chinese(arguments: Arguments) -> str:
    values = [arguments[key] for key in ("c", "t", "s", "hp", "p", "w", "l")]
    return ", ".join(dict.fromkeys(value for value in [*arguments.positional, *values] if value))


def _born_died(arguments: Arguments) -> str:
    """{{bd|1893年|12月26日|1976年|9月9日}} -> 1893年12月26日－1976年9月9日."""
    born, died = "".join(arguments.positional[1:3]), "".join(arguments.positional[3:5])
    return f"{born}－{died}" if died else f"{born}－"


def _date(arguments: Arguments) -> str:
    return "-".join(part for part in arguments.positional[1:4] if part.isdigit())


def _measure(arguments: Arguments) -> str:
    """{{convert|10|to|20|km|mi}} -> 10 to 20 km: up to the first unit."""
    taken = []
    for part in arguments.positional[1:]:
        taken.append(part)
        if not _NUMBER_OR_LINK.fullmatch(part):
            break
    return " ".join(taken)


_NUMBER_OR_LINK = re.compile(r"[-+−]?[\d.,/+]+(?:e\d+)?|to|and|or|by|x|×|\+/-|±|–|-|\(-\)", re.I)


def _number(arguments: Arguments) -> str:
    value, unit = arguments[1], arguments["u"] or arguments["ul"]
    exponent = f"×10^{arguments['e']}" if arguments["e"] else ""
    return f"{value}{exponent}{' ' if unit else ''}{unit}"


def _fraction(arguments: Arguments) -> str:
    parts = arguments.positional[1:]
    if len(parts) == 1:
        return f"1/{parts[0]}"
    return "/".join(parts) if len(parts) == 2 else f"{' '.join(parts[:1])} {'/'.join(parts[1:])}".strip()


def _joined(arguments: Arguments) -> str:
    return "".join(arguments.positional)


def _before(prefix: str) -> Callable[[Arguments], str]:
    return lambda arguments: prefix + arguments[1]


def _sign(text: str) -> Callable[[Arguments], str]:
    return lambda _: text


def _table(rows: dict[str, Take]) -> dict[str, Take]:
    return {name.replace("_", " "): take for names, take in rows.items() for name in names.split()}


_TEXT: dict[str, Take] = _table(
    {
        """nowrap nobr nobreak small smaller big larger big2 resize math mvar var em strong bold italic underline u
        uline overline s strike kbd tt code mono sic abbr abbrlink tooltip unicode lj jpn ipa audio-ipa pronunciation
        music smallcaps sc aut kai cjk-new-char 僻字 cjk not_a_typo proper_name notatypo cslist center 標楷體 楷体 仿宋
        pinyin 拼音 注音 ruby 行内注音 ru-ja isbn flag flagcountry flagu 国旗 國旗 国家 noitalic nobold script transl-zh
        linktext sortname2 lang-zh-hans lang-zh-hant zh-hans zh-hant en-us keypress 键 按键 wikt-lang uc lc ucfirst
        formatnum dash bracket 括号 coloredlink keep_together nihongo2 hover_title start-date as_written gap_text""": 1,
        "lang langn lang/zh script/ ipac-text transl 字体 font_color fontcolor2 wikt abbrv hidden_text zy": 2,
        "color colour fontcolor font_color text_color 颜色 顏色 bg bgcolor colored_text": _last,
        "le link-interwiki 内部链接 internal_link_helper ill-zh": _first_of(3, 1),
        "tsl translink": _first_of(4, 3),
        "ill interlanguage_link interlanguage_link_multi link-translation": _first_of("lt", "display", 1),
        "ilh illm": _first_of("display", "lang-title", 1),
        "quote blockquote cquote quotation 引文 引言 quote_box 佳句 centered_pull_quote rquote": _quotation,
        "nihongo nihongo3 nihongo_title korean 韩语": _nihongo,
        "zh zh-full chinese-inline 中文": _chinese,
        "bd bd2 生卒": _born_died,
        "birth_date birth_date_and_age bda death_date death_date_and_age start_date end_date dts date": _date,
        "convert cvt 换算 換算 conv": _measure,
        "val num number": _number,
        "frac fraction sfrac 分数 分數": _fraction,
        "chem chem2 chemf chem_name su": _joined,
        "sup superscript": _before("^"),
        "sub subscript": _before("_"),
        "circa ca c. 约 約": _before("c. "),
        "as_of asof": _before("as of "),
        "rmb cny ¥ cnyen": _before("¥"),
        "usd us$ dollar": _before("US$"),
        "ntd nt$ twd": _before("NT$"),
        "hkd hk$": _before("HK$"),
        "gbp £": _before("£"),
        "eur €": _before("€"),
        "jpy": _before("¥"),
        "! pipe 竖线": _sign("|"),
        "= equals": _sign("="),
        "•": _sign("•"),
        "· dot middot 點 int_dot": _sign("·"),
        "ndash en_dash – endash": _sign("–"),
        "mdash em_dash — emdash": _sign("—"),
        "spaced_ndash snd spnd sndash spaced_en_dash spaced_endash": _sign(" – "),
        "' apostrophe": _sign("'"),
        "nbsp space spaces nbs zwsp thin_space thinsp hair_space": _sign(" "),
        "break br crlf": _sign("\n"),
        "sqrt radic radical": _before("√"),
        "minus": _sign("−"),
        "times": _sign("×"),
        "pi": _sign("π"),
    }
)
_FAMILIES: list[tuple[str, Take]] = [
    ("lang-", 1),
    ("link-", _first_of(3, 1)),
    ("internal link helper/", _first_of(3, 1)),
    ("ipa-", 1),
    ("zh-", 1),
]


def expand_template(parts: list[str]) -> str:
    """The text of a template, or a hole where it has none.

    Args:
        parts: what the bars separate, the name first; everything inside is already text.

    Example:
        ["lang", "fr", "Lune"] -> Lune;  ["Infobox", "name=月球"] -> a hole
    """
    name = template_name(parts[0])
    take = _TEXT.get(name)
    if take is None:
        take = next((take for family, take in _FAMILIES if name.startswith(family)), None)
        if take is None:
            return _parser_function(parts[0])
    arguments = read_arguments(parts[1:])
    text = arguments[take] if isinstance(take, int) else take(arguments)
    return text or HOLE


def template_name(name: str) -> str:
    r"""How a template is looked up: lower case, single blanks.

    Example:
        " CJK-New-Char\n" -> cjk-new-char
    """
    return " ".join(name.replace("_", " ").lower().split())


def _parser_function(head: str) -> str:
    """{{formatnum:1234}} and {{lc:ABC}} are their argument."""
    name, colon, value = head.partition(":")
    if colon and name.strip().lower() in {"formatnum", "lc", "uc", "lcfirst", "ucfirst", "nse"}:
        return value.strip() or HOLE
    return HOLE


_TEMPLATE_HEAD = re.compile(r"\{\{([^{}|\n]{1,60})")
_DISAMBIGUATION = re.compile(
    r"(?:.*[ -])?disamb(?:ig(?:uation)?)?(?:[ -].*)?|dab|hndis|geodis|mil-unit-dis|numberdis|schooldis|hospitaldis"
    r"|roaddis|.*消歧[义義][页頁]?"
)
_DISAMBIGUATION_TITLE = re.compile(r"[(（](?:disambiguation|消歧[义義](?:[页頁])?)[)）]\s*$", re.I)
_DISAMBIGUATION_WORD = re.compile("__(?:DISAMBIG|消歧[义義])__")


def is_disambiguation(title: str, markup: str) -> bool:
    """Whether a page only says which pages a name may mean: by its title, its template or its magic word."""
    if _DISAMBIGUATION_TITLE.search(title) or _DISAMBIGUATION_WORD.search(markup):
        return True
    return any(_DISAMBIGUATION.fullmatch(template_name(name)) for name in _TEMPLATE_HEAD.findall(markup))
