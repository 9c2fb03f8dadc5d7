"""Where soft redirects point, out of their texts."""

import pytest

from hgld.scrape.wikimedia.soft_redirects import redirect_target


@pytest.mark.parametrize(
    ("wikitext", "target"),
    [
        ("{{Category redirect|1=Wadi Rum (renamed)}}", "Category:Wadi Rum (renamed)"),
        ("{{category redirect|Castle}}", "Category:Castle"),
        ("{{Category_redirect|Castle|reason=x}}", "Category:Castle"),
        ("{{Category redirect|reason=x|Castle}}", "Category:Castle"),
        ("{{Category redirect|Category:Castle}}", "Category:Castle"),
        ("{{Category redirect|:category:Old_castle}}", "Category:Old castle"),
        ("{{Category redirect|[[:Category:Castle]]}}", "Category:Castle"),
        ("{{Template:Category redirect|Castle}}", "Category:Castle"),
        ("{{ Category redirect \n| 1 = Castle \n}}", "Category:Castle"),
        ("{{Seecat|Castle}}", "Category:Castle"),
        ("{{Catredirect|Castle}}", "Category:Castle"),
        ("{{Synonym taxon category redirect|Castle}}", "Category:Castle"),
        ("<!-- {{Category redirect|No}} -->{{Category redirect|Yes}}", "Category:Yes"),
        ("{{Infobox|Tower}} text {{Category redirect|Castle}}", "Category:Castle"),
        ("{{Category redirect|A &amp; B}}", "Category:A & B"),
        ("{{Category redirect|Bed&section}}", "Category:Bed&section"),
        ("{{Category redirect|A %26 B, 50% C}}", "Category:A & B, 50% C"),
        ("{{Category redirect|No|1=Castle}}", "Category:Castle"),
        ("{{Category redirect|reason={{En|1=moved|x}}|Castle}}", "Category:Castle"),
        ("{{Category redirect|reason=[[:Category:A|x]]|Castle}}", "Category:Castle"),
        ("{{Category redirect|[[:Category:Castle|x]]}}", "Category:Castle"),
        ("{{En|1=Moved: {{Category redirect|Castle}}}}", "Category:Castle"),
        ("{{ Category  redirect_\n|Castle}}", "Category:Castle"),
        ("{{Cat-red|Castle}}", "Category:Castle"),
        ("<nowiki>{{Seecat|No}}</nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<nowiki/>{{Seecat|Castle}}<nowiki></nowiki>", "Category:Castle"),
        ("<pre a=b>{{Seecat|No}}</PRE >{{Seecat|Castle}}", "Category:Castle"),
        ("{{Seecat|Castle}}<!-- {{Seecat|No}}", "Category:Castle"),
        ("<pre>{{Seecat|Castle}}", "Category:Castle"),
        ("<NoWiki>{{Seecat|No}}</nowiki><nowiki>{{Seecat|Castle}}", "Category:Castle"),
        ("<!-- <pre> -->{{Seecat|Castle}}</pre>", "Category:Castle"),
        ("<pre><!-- {{Seecat|No}} -->{{Seecat|Castle}}", "Category:Castle"),
        ("{{Category redirect|Cas<!-- {{{ }} | -->tle}}", "Category:Castle"),
        ("{{template : category redirect<!-- x -->|reason=a|Castle|b}}", "Category:Castle"),
        ("{{Category redirect|Castle#Part}}", "Category:Castle"),
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
        "",
        "text",
        "{{Category redirect}}",
        "{{Category redirect|}}",
        "{{Category redirect|A=B}}",
        "{{Category redirect|{{ucfirst:castle}}}}",
        "{{Category redirect|{{{1|Castle}}}}}",
        "{{Category redirect|Cas{{x}}tle}}",
        "{{Category redirect|<i>Castle</i>}}",
        "{{Other|A}}",
        "{{Seecat|1=",
        "<nowiki>{{Seecat|Castle}}</nowiki>",
    ],
)
def test_a_text_without_a_target_has_none(wikitext: str) -> None:
    assert redirect_target(wikitext) == ""
