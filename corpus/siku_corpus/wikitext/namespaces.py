"""Names of namespaces and codes of languages, as they stand before the colon of a link or a title."""

from __future__ import annotations

from siku_corpus.wikitext.words import words

FILE_NAMES = words("""file image media 文件 档案 檔案 图像 圖像 图片 圖片 媒体 媒體 媒体文件 媒體檔案 媒体档案""")
CATEGORY_NAMES = words("category cat 分类 分類")
OTHER_NAMES = words(
    """talk user user_talk wikipedia wikipedia_talk wp project project_talk file_talk mediawiki mediawiki_talk
    template template_talk t help help_talk category_talk portal portal_talk module module_talk draft draft_talk
    special wikiproject book timedtext topic gadget 讨论 討論 对话 對話 用户 用戶 使用者 用户讨论 用戶討論
    使用者討論 用户对话 用戶對話 维基百科 維基百科 维基百科讨论 維基百科討論 计划 計劃 专案 專案 项目 文件讨论
    文件討論 檔案討論 图像讨论 圖像對話 媒体维基 媒體維基 模板 样板 樣板 模板讨论 模板討論 样板讨论 樣板討論 帮助
    幫助 說明 说明 使用說明 使用说明 帮助讨论 幫助討論 使用說明討論 分类讨论 分類討論 主题 主題 主题讨论 主題討論
    模块 模塊 模組 模块讨论 模組討論 草稿 草稿讨论 草稿討論 特殊 维基专题 維基專題 话题 話題"""
)
"""Of the namespaces that hold no articles; English, and Chinese in both scripts.

Source: MediaWiki, languages/messages/MessagesZh_hans.php and MessagesZh_hant.php, and what zh.wikipedia.org adds.
"""
LANGUAGES = words(
    """aa ab ace af ak als am an ang ar arc ary arz as ast av ay az azb ba bar bat-smg bcl be be-tarask be-x-old bg bh
    bi bjn bm bn bo bpy br bs bug bxr ca cbk-zam cdo ce ceb ch chr chy ckb co cr crh cs csb cu cv cy da de din diq
    dsb dty dv dz ee el eml en eo es et eu ext fa ff fi fiu-vro fj fo fr frp frr fur fy ga gag gan gd gl glk gn gom
    gor got gu gv ha hak haw he hi hif ho hr hsb ht hu hy ia id ie ig ik ilo inh io is it iu ja jam jbo jv ka kaa
    kab kbd kbp kg ki kk kl km kn ko koi krc ks ksh ku kv kw ky la lad lb lbe lez lfn lg li lij lmo ln lo lrc lt
    ltg lv lzh mai map-bms mdf mg mh mhr mi min mk ml mn mr mrj ms mt mus mwl my myv mzn na nah nan nap nds nds-nl
    ne new ng nl nn no nov nrm nso nv ny oc olo om or os pa pag pam pap pcd pdc pfl pi pih pl pms pnb pnt ps pt qu
    rm rmy rn ro roa-rup roa-tara ru rue rw sa sah sat sc scn sco sd se sg sh si simple sk sl sm sn so sq sr srn ss
    st stq su sv sw szl ta tcy te tet tg th ti tk tl tn to tpi tr ts tt tum tw ty tyv udm ug uk ur uz ve vec vep vi
    vls vo wa war wo wuu xal xh xmf yi yo yue za zea zh zh-classical zh-min-nan zh-yue zu"""
)
"""Codes of Wikipedias: `[[fr:Lune]]` is a link in the page's margin, not text."""


def namespace(title: str) -> str:
    """What stands before the first colon, in lower case and with blanks, or "".

    Example:
        "User_talk:甲" -> "user talk"
    """
    prefix, colon, _ = title.partition(":")
    return prefix.strip().replace("_", " ").lower() if colon else ""


def is_article_title(title: str) -> bool:
    """Whether a title has no prefix of a namespace for something else than articles."""
    return namespace(title) not in _NOT_ARTICLES


_NOT_ARTICLES = FILE_NAMES | CATEGORY_NAMES | OTHER_NAMES
