"""Where soft redirects point, out of their texts."""

import pytest

from hgld.scrape.wikimedia.soft_redirects import redirect_target

_NAMES = (
    *("category redirect", "Template:Category redirect", " Category  redirect_\n"),
    *("Seecat", "Catredirect", "Cat-red", "Synonym taxon category redirect"),
)
_ARGUMENTS = (
    *("Castle|reason=x", "reason=x|Castle", "No|1=Castle", "Category:Castle", "Castle#Part"),
    *("[[:Category:Castle]]", "[[:Category:Castle|x]]", "Cas<!-- {{{ }} | -->tle"),
    *("reason={{En|1=moved|x}}|Castle", "reason=[[:Category:A|x]]|Castle"),
)


@pytest.mark.parametrize(
    ("wikitext", "target"),
    [
        *((f"{{{{{name}|Castle}}}}", "Category:Castle") for name in _NAMES),
        *((f"{{{{Category redirect|{one}}}}}", "Category:Castle") for one in _ARGUMENTS),
        ("{{Category redirect|1=Wadi Rum (renamed)}}", "Category:Wadi Rum (renamed)"),
        ("{{Category redirect|:category:Old_castle}}", "Category:Old castle"),
        ("{{ Category redirect \n| 1 = Castle \n}}", "Category:Castle"),
        ("<!-- {{Category redirect|No}} -->{{Category redirect|Yes}}", "Category:Yes"),
        ("{{Infobox|Tower}} text {{Category redirect|Castle}}", "Category:Castle"),
        ("{{Category redirect|A &amp; B}}", "Category:A & B"),
        ("{{Category redirect|Bed&section}}", "Category:Bed&section"),
        ("{{Category redirect|A %26 B, 50% C}}", "Category:A & B, 50% C"),
        ("{{En|1=Moved: {{Category redirect|Castle}}}}", "Category:Castle"),
        ("<nowiki>{{Seecat|No}}</nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<nowiki/>{{Seecat|Castle}}<nowiki></nowiki>", "Category:Castle"),
        ("<pre a=b>{{Seecat|No}}</PRE >{{Seecat|Castle}}", "Category:Castle"),
        ("{{Seecat|Castle}}<!-- {{Seecat|No}}", "Category:Castle"),
        ("<pre>{{Seecat|Castle}}", "Category:Castle"),
        ("<NoWiki>{{Seecat|No}}</nowiki><nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<!-- <pre> -->{{Seecat|Castle}}</pre>", "Category:Castle"),
        ("<pre><!-- {{Seecat|No}} -->{{Seecat|Castle}}", "Category:Castle"),
        ("{{template : category redirect<!-- x -->|reason=a|Castle|b}}", "Category:Castle"),
        ("{{Category redirect|Cafe\u0301}}", "Category:Caf\u00e9"),
    ],
)
def test_the_target_of_a_soft_redirect_is_read(wikitext: str, target: str) -> None:
    assert redirect_target(wikitext) == target


@pytest.mark.parametrize(
    "text",
    ["<pre>", "<nowiki x", "<nowiki></pre>", "<!--", "{{a", "{{", "[[a|", "|", "&", "</pre ", "\0"],
)
def test_what_has_no_end_hides_no_target_before_it_and_gives_none(text: str) -> None:
    page = text * (20_000 // len(text))
    assert redirect_target(page + "}}" * (10_000 if "{{" in text else 0)) == ""
    assert redirect_target(f"{{{{Category redirect|Castle}}}}{page}") == "Category:Castle"


@pytest.mark.parametrize(
    "wikitext",
    [
        *("", "text", "{{Other|A}}", "{{Seecat|1=", "<nowiki>{{Seecat|Castle}}</nowiki>"),
        *("{{Category redirect}}", "{{Category redirect|}}", "{{Category redirect|A=B}}"),
        *("{{Category redirect|{{ucfirst:castle}}}}", "{{Category redirect|{{{1|Castle}}}}}"),
        *("{{Category redirect|Cas{{x}}tle}}", "{{Category redirect|<i>Castle</i>}}"),
    ],
)
def test_a_text_without_a_target_has_none(wikitext: str) -> None:
    assert redirect_target(wikitext) == ""
