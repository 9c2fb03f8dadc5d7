"""What holds of every release, said once for all cards; and what each column is."""

from collections.abc import Mapping

from hgld.annotations.release.facts import ReleaseFacts

KEYWORDS = (
    "landmarks",
    "image retrieval",
    "hierarchical labels",
    "Google Landmarks v2",
    "Wikidata",
)

SOURCES: Mapping[str, str] = {
    "https://github.com/cvdfoundation/google-landmark": (
        "Google Landmarks Dataset v2: the images, their landmarks, and the Commons category of "
        "each landmark (CC-BY-4.0)"
    ),
    "https://commons.wikimedia.org/": (
        "Wikimedia Commons: the pages of the categories, and the pictures, each under a licence of"
        " its own"
    ),
    "https://www.wikidata.org/": "Wikidata: the items of the landmarks and their classes (CC0-1.0)",
}
"""Address to what comes from there."""

COLLECTION = (
    "GLDv2 names a category of Wikimedia Commons for each landmark. Its page leads to the "
    "landmark's item in Wikidata, through redirects and merges, and the best-ranked statements of "
    "that item's property instance-of (P31) are the landmark's classes. Every answer is kept with "
    "its time and revision. No picture is collected: the images are those of GLDv2."
)
PROTOCOL = (
    (
        "Each class, not each image, is assigned to a super-category and to natural or human-made,"
        " or is ignored: by a person, in a log that is only ever added to, or by a proposal that "
        "the publisher accepted unseen."
    ),
    (
        "A landmark has the super-category that most of its classes vote for; of equally many "
        "votes, that of its most specific class, the one that fewest landmarks have. Every image "
        "has the label of its landmark."
    ),
    (
        "Labels that are filled where no class gives one lie beside these (`filled/`), and count "
        "for nothing else."
    ),
)
TOOLS = (
    (
        "Proposals come from the text of a class, its superclasses, its names in other "
        "vocabularies and the decisions on classes near it; each says how sure it is."
    ),
)
BIASES = (
    (
        "The pictures are those that people gave to Wikimedia Commons: some regions of the world, "
        "above all Europe and North America, have far more of them than others."
    ),
    (
        "Images per landmark, and landmarks per super-category, have long tails: a mean over "
        "images is one over a few frequent labels."
    ),
    (
        "Classes are as fine as Wikidata's editors made them, so that what many people care for, "
        "such as churches, is told apart better than what few do."
    ),
    "Of equal votes the rarer class decides, which favours specific classes over general ones.",
)
LIMITATIONS = (
    (
        "A label is one of a landmark and not of a picture: pictures of its inside, of a detail or"
        " of the view from it have it, too."
    ),
    (
        "A landmark has one super-category although it may be several things; the labels that lost"
        " stand in landmarks.parquet (`candidates`)."
    ),
    (
        "Ids of train landmarks and of index landmarks are different spaces: the same number is no"
        " sign of the same landmark. Those of test images are of the index."
    ),
    (
        "Where `decision` is `proposed`, nobody has looked at the class: `reviewer` is empty, and "
        "`confidence` says how sure the proposal was. Where it is `filled`, no class gave a label, "
        "and unless `method` is `reviewed` nobody has looked at it, either."
    ),
)
USE_CASES = (
    (
        "Training and measuring image retrieval in which a near miss counts for more than a far "
        "one, such as by hierarchical average precision."
    ),
    "Studies of how labels follow from public knowledge, since each says where it came from.",
    (
        "Not for finding where somebody was, nor for conclusions on people in pictures: nothing "
        "here was made or checked for that."
    ),
)
SOCIAL_IMPACT = (
    "Landmarks of regions with few contributors are rare here, so that what is trained on it "
    "serves them worse; compare results by super-category before you rely on a mean."
)
SENSITIVE = (
    (
        "Names or pseudonyms of the pictures' authors, as their licences ask for (credits), and of"
        " those who decided on classes (`reviewer`). The pictures, which are no part of the "
        "release, may show people."
    ),
)

COLUMN_TEXTS: Mapping[str, str] = {
    "image_id": "Id of the image in GLDv2.",
    "landmark_id": "Id of the landmark in its label space: that of train, or that of index.",
    "supercategory": "Text of the class that decided, as GLDv2's published files have it.",
    "hierarchical_label": "The super-category. Beware: `ocean area ` ends in a space.",
    "natural_or_human_made": "The top level: `natural` or `human-made`.",
    "category": "Address of the landmark's category on Wikimedia Commons.",
    "qid": "The landmark's item in Wikidata.",
    "in_clean": "Whether train_clean.csv has the image; empty but for train.",
    "revision_id": "Revision of the category's page that was read.",
    "class_qid": "The Wikidata class that decided.",
    "decision": (
        "On that class: `assigned` or `ignored` by a person; `proposed` or `proposed_ignore`, "
        "accepted unseen; `undecided`. `filled`: no class gave a label, other evidence did."
    ),
    "reviewer": "Who decided on that class, or accepted the fill; empty where nobody did.",
    "method": (
        "How the label came to be: `class`; or filled, by `words`, `parents`, `pictures`, several "
        "of them joined by `+`, or `reviewed` by a person."
    ),
    "confidence": (
        "Of the proposal that was accepted unseen, of the fill, or of the best guess: 0 to 1."
    ),
    "accepted_above": "The least confidence with which proposals were accepted unseen.",
    "class_qids": "All classes of the landmark, separated by spaces.",
    "class_labels": "Their texts, separated by `; `.",
    "classes": "The same as a list.",
    "provenance": "The columns from `revision_id` on, and whether there is a label, as one.",
    "split": "The split of the image: train, index or test; of a landmark its label space.",
    "reason": "Why there is no label.",
    "best_guess": "The super-category in front where none is sure enough; empty where none is.",
    "evidence": "What the best guess was made of, in words, and why it is no label.",
    "rule": (
        "How the label was found: the only one, most votes, most specific class, or filled where "
        "no class gives one."
    ),
    "fetched_at": "When the category's page was asked for.",
    "candidates": "Every super-category that got a vote, the winner first.",
    "hierarchical_label_id": "Number of the label in the order of the labels, from 0.",
    "slug": "The label for file names and addresses: `castle-fort`.",
    "natural_or_human_made_id": "0: human-made, 1: natural.",
    "train_landmarks": "Landmarks of the label space of train that have the label by a class.",
    "index_landmarks": "Landmarks of the label space of index that have it so.",
    "train_images": "Images of train that have it so.",
    "index_images": "Images of index that have it so.",
    "test_images": "Images of test that have it so.",
    "status": "`ok`, or `missing`: GLDv2 tells nothing of the image.",
    "title": "Title of the picture's page on Commons.",
    "author": "Who made the picture.",
    "source": "Address of that page.",
    "license": "Licence of the picture, by its short name with its version.",
    "license_uri": "The licence as GLDv2 gives it.",
}
"""Column of any table but label_changes.parquet to what it is."""


def missing_words(facts: ReleaseFacts) -> str:
    """Says what has no label, and why."""
    counts = facts.release["counts"]
    landmarks = sum(counts["landmarks"].values())
    without = landmarks - counts["landmarks_with_label"] - counts["landmarks_filled"]
    parts = [f"Landmarks without a label: {without:,} of {landmarks:,}"]
    for name, title in (("excluded", "excluded images"), ("bad", "pictures left out as bad")):
        total = sum(counts[name].values())
        why = ", ".join(f"{reason} {count:,}" for reason, count in counts[name].items())
        parts.append(f"{title}: {total:,}" + (f" ({why})" if why else ""))
    parts.append(f"train images without a known credit: {counts['credits_missing']:,}")
    return "; ".join(parts) + "."


def imputed_words(facts: ReleaseFacts) -> str:
    """Says which labels no class gives."""
    counts = facts.release["counts"]
    if not counts["landmarks_filled"]:
        return "No label is imputed: a landmark without one has none."
    by = ", ".join(
        f"`{method}` {count['landmarks']:,}" for method, count in counts["filled_by"].items()
    )
    return (
        f"{counts['landmarks_filled']:,} landmarks without a label of their classes have one by "
        f"other evidence, with how sure it is (by `method`: {by}). Their "
        f"{sum(counts['filled'].values()):,} images lie in `filled/`, beside the others: neither "
        "the published CSV files nor `hierarchy.parquet` count them."
    )


def decided_words(facts: ReleaseFacts) -> str:
    """Says how many decided, and how many labels follow from that."""
    people = {name: count for name, count in facts.deciders.items() if name}
    return (
        f"Labels of landmarks that follow from a person's decision: {sum(people.values()):,} "
        f"(persons: {len(people):,}); that nobody has looked at: {facts.deciders.get('', 0):,}."
    )
