from hgld.pages.serving.finding import TextLines


def test_each_line_that_has_a_text_is_told_once_and_none_is_across_two() -> None:
    lines = TextLines(["", " lake of lakes", " old mill", " lake", "a"])
    assert list(lines.hits(" lake")) == [1, 3]
    assert list(lines.hits("lakes\n")) == [1]
    assert list(lines.hits(" mill")) == [2]
    assert list(lines.hits("lakes old")) == []
    assert list(lines.hits("\n lake", 1)) == [1, 3]  # that begin so
    assert list(lines.hits("zzz")) == []
    assert list(TextLines([]).hits("a")) == []
