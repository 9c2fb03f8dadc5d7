"""Rows of the page in which every text is an attack, for whatever writes them."""

import math
from dataclasses import replace

from hgld.pages.review.fills.views import FillsView, GuessGroup, GuessName, GuessRow
from hgld.pages.review.second.views import (
    AgreementRow,
    BlindClass,
    ConfusedPair,
    DeskView,
    DifferenceRow,
    KnownRow,
    OtherReviewer,
    SampleLink,
    SecondReport,
    WrongAnswer,
)
from hgld.pages.review.state.namebook import KnownName
from hgld.pages.review.views import (
    Answer,
    BranchRow,
    ConflictRow,
    FoundClass,
    FoundLandmark,
    FoundView,
    GroupAnswer,
    GroupPart,
    GroupRow,
    GroupView,
    HistoryRow,
    LandmarkLink,
    MemberRow,
    NameChoice,
    NameRow,
    NearClass,
    NearGroup,
    NearView,
    PreviewChange,
    PreviewClass,
    PreviewView,
    ProposalChange,
    Remark,
    ReviewProgress,
    Said,
    SimilarRow,
    SimilarView,
    Thumbnail,
    Workbench,
)
from hgld.review.kappa import cohen_kappa
from hgld.review.second_opinion import Judgement, KnownScore

EVIL = "\"'><script>alert(1)</script><img src=x onerror=alert(1)>{{7*7}}</textarea></template>"
WHEN = "2026-01-02T03:04:05+00:00"

_LINK = LandmarkLink(EVIL, EVIL, EVIL, 7)
_REMARK = Remark(EVIL, WHEN, EVIL, 3)
_CHANGED = (ProposalChange(EVIL, EVIL, EVIL, EVIL),)


def answer(action: str = "accept", name: str | None = EVIL) -> Answer:
    """An answer, accepted or ignored."""
    return Answer(
        hierarchical_label=name,
        natural_or_human_made="natural",
        action=action,  # type: ignore[arg-type]
        confidence=0.875,
    )


def member(state: str = "open", name: str | None = EVIL) -> MemberRow:
    """A class with everything that a class can have."""
    return MemberRow(
        class_qid=EVIL,
        class_label=EVIL,
        landmarks=1234,
        state=state,  # type: ignore[arg-type]
        answer=answer("ask", name),
        tier="doubtful",
        evidence=EVIL,
        runner_up=EVIL,
        runner_up_confidence=0.1,
        reviewer=EVIL,
        decided_at=WHEN,
        doubt=_REMARK,
        comments=(_REMARK,),
        is_outlier=True,
        is_new=True,
        wikidata_url=EVIL,
        examples=(_LINK,),
    )


def group(opened: int) -> GroupRow:
    """A line of the list."""
    return GroupRow(
        group=EVIL,
        name=EVIL,
        classes=2,
        open=opened,
        landmarks=1,
        settles=1.0,
        answer=GroupAnswer(EVIL if opened else None, "natural"),
        share=0.5,
        doubtful=1,
        new=1,
        matching=1,
    )


def group_view() -> GroupView:
    """An open group."""
    return GroupView(
        row=group(1),
        members=(member(), member("assigned"), member("ignored", None), member(name=None)),
        coming=(EVIL,),
        matching=412,
        choices=(NameChoice("1", EVIL, "natural", 0.9),),
        parts=(GroupPart(EVIL, 1, 1), GroupPart(None, 2, 2)),
        near=NearView(
            name=EVIL,
            groups=(NearGroup(EVIL, EVIL, 0.5, EVIL),),
            classes=(NearClass(EVIL, EVIL, EVIL, 0.5, EVIL, 1, True),),
        ),
        thumbnails=(Thumbnail(EVIL, _LINK, EVIL, EVIL, EVIL),),
        confident=1,
        next_group=EVIL,
        previous_group=EVIL,
    )


def workbench(*, read_only: bool = False) -> Workbench:
    """All three panes."""
    return Workbench(
        groups=(group(2), group(1), group(0)),
        view=group_view(),
        names=(
            NameRow(
                hierarchical_label=EVIL,
                natural_or_human_made="natural",
                classes=1,
                landmarks=1,
                proposed=1,
                proposed_landmarks=1,
                is_own=True,
            ),
        ),
        progress=ReviewProgress(
            classes=2,
            decided=1,
            groups=2,
            groups_done=1,
            landmarks=2,
            settled=1,
            groups_to_90=1,
            left_s=4000.0,
        ),
        line=3,
        reviewer=EVIL,
        query=EVIL,
        said=Said(text=EVIL, number=3, changed=_CHANGED, changed_count=2),
        rescored=Said(text=EVIL, changed=_CHANGED, changed_count=2),
        can_undo=True,
        can_redo=True,
        unseen=2,
        is_first_time=True,
        read_only=read_only,
        title=EVIL,
        suggestions=(EVIL,),
    )


def event() -> HistoryRow:
    """An event of the history."""
    return HistoryRow(
        number=3,
        event=EVIL,
        text=EVIL,
        reviewer=EVIL,
        decided_at=WHEN,
        why=EVIL,
        is_active=False,
        is_edit=True,
        is_mine=False,
        is_unseen=True,
        classes=((EVIL, EVIL),),
        class_count=2,
    )


def contexts() -> dict[str, dict[str, object]]:
    """What each template is given."""
    bench = workbench()
    conflict = ConflictRow(
        class_qid=EVIL,
        class_label=EVIL,
        before=EVIL,
        theirs=EVIL,
        their_reviewer=EVIL,
        their_at=WHEN,
        their_number=2,
        mine=EVIL,
    )
    preview = PreviewView(
        text=EVIL,
        classes=2,
        landmarks=2,
        unseen=1,
        changes=(PreviewChange(EVIL, EVIL, 1, 1),),
        first=(PreviewClass(EVIL, EVIL, 1, EVIL, EVIL),),
    )
    branch = BranchRow(3, EVIL, EVIL, WHEN, 2)
    found = FoundClass(EVIL, EVIL, EVIL, EVIL, 1, EVIL, True)
    similar = SimilarRow(member(), EVIL, EVIL, 0.5)
    return {
        "page.html": {"bench": bench, "token": EVIL, "static": "/static/1"},
        "bench.html": {"bench": bench},
        "conflict.html": {"rows": [conflict, conflict]},
        "dependents.html": {"row": event(), "dependents": [event()]},
        "error.html": {"status": 404, "text": EVIL, "static": "/static/1"},
        "views/found.html": {
            "found": FoundView(
                query=EVIL, classes=(found,), landmarks=(FoundLandmark(_LINK, EVIL, EVIL, EVIL),)
            )
        },
        "views/history.html": {
            "rows": [event()],
            "branches": [branch],
            "more": True,
            "only": EVIL,
            "line": 3,
            "unseen": 1,
        },
        "views/map.html": {},
        "preview.html": {"preview": preview},
        "refused.html": {"text": EVIL, "sure": True, "suggestion": EVIL, "field": EVIL},
        "views/similar.html": {
            "similar": SimilarView(
                of=((EVIL, EVIL), (EVIL, EVIL)), least=0.5, rows=(similar,), matching=2
            )
        },
        "fills/view.html": {"fills": fills_view(), "read_only": False},
        **second_contexts(),
    }


def fills_view() -> FillsView:
    """Guesses of two super-categories, with everything that a guess can have."""
    name = GuessName(EVIL, "natural", open=1234, accepted=2, refused=3, is_current=True)
    group = GuessGroup(EVIL, EVIL, guesses=412, landmarks=500, confidence=0.9, is_current=True)
    open_one = GuessRow(
        category=EVIL,
        name=EVIL,
        url=EVIL,
        landmarks=2,
        state="open",
        confidence=0.7,
        evidence=EVIL,
        parents=(EVIL, EVIL),
        thumbnails=(Thumbnail(EVIL, _LINK, EVIL, EVIL, EVIL),),
    )
    refused = replace(open_one, state="refused", reviewer=EVIL, decided_at=WHEN, parents=())
    return FillsView(
        names=(name, name._replace(is_current=False)),
        name=name,
        groups=(group, group._replace(is_current=False)),
        group=group,
        rows=(open_one, refused),
        shown=60,
        place=1,
        order="surest",
        show="open",
        line=3,
        unguessed=2,
        said=Said(text=EVIL),
    )


def second_contexts() -> dict[str, dict[str, object]]:
    """Returns what the templates of the second opinion read."""
    shared = {"token": EVIL, "static": "/static/1", "read_only": False}
    one, said = Judgement(EVIL, EVIL), Said(text=EVIL)
    names = (KnownName(EVIL, EVIL),)
    desk = DeskView(
        reviewer=EVIL,
        title=EVIL,
        of_reviewer=EVIL,
        asked=5,
        place=2,
        unsure=1,
        current=BlindClass(
            class_qid=EVIL,
            class_label=EVIL,
            landmarks=3,
            wikidata_url=EVIL,
            examples=(_LINK,),
            thumbnails=(Thumbnail(EVIL, _LINK, EVIL, EVIL, EVIL),),
        ),
        names=names,
        said=said,
    )
    score = KnownScore(answered=3, right=2, accuracy=0.7, low=0.2, high=0.9, wrong=(EVIL,))
    report = SecondReport(
        number=3,
        title=EVIL,
        reviewer=EVIL,
        of_reviewer=EVIL,
        asked=5,
        answered=3,
        unsure=1,
        hidden=1,
        rows=(
            AgreementRow(EVIL, cohen_kappa("aab", "abb"), 0.5),
            AgreementRow(EVIL, cohen_kappa("", ""), math.nan),
        ),
        known=(KnownRow(EVIL, score, (WrongAnswer(EVIL, EVIL, None),)),),
        known_classes=3,
        pairs=(ConfusedPair(one, Judgement(None, None), 1, 2),),
        differences=(DifferenceRow(EVIL, EVIL, 2, EVIL, one, EVIL, one),),
        settled=1,
        names=names,
        others=(SampleLink(1, EVIL, EVIL),),
        line=8,
        said=said,
    )
    asking = DeskView(reviewer=EVIL, title=EVIL, others=(OtherReviewer(EVIL, 5),), size=5)
    reported = {"report": report, "reviewer": EVIL} | shared
    return {
        "second/page.html": {"desk": asking} | shared,
        "second/desk.html": {"desk": desk} | shared,
        "second/report.html": reported,
        "second/report_page.html": reported,
    }
