"""English: the words of a page."""

from __future__ import annotations

from triptych_client.page.labels import PageLabels

ENGLISH = PageLabels(
    title="{emotion} · {name}",
    skip="Skip to the answer",
    headings={
        "clip": "Clip",
        "answer": "What the clip expresses",
        "timeline": "Emotion over time",
        "transcript": "Transcript",
        "tags": "Sounds over time",
        "people": "Faces by person",
        "channels": "Channels and what each contributed",
        "why": "Why",
        "sure": "How sure is that?",
        "dimensions": "Valence and arousal",
        "models": "Models and licences",
        "about": "What this is, and what it is not",
    },
    notes={
        "timeline": "All channels together. Click anywhere to go there.",
        "transcript": "Each sentence has the emotion of all channels meanwhile; click it to hear it.",
        "tags": "How probable each sound is at each moment.",
        "people": "Each face alone, without sound and words. Click a picture to go to its moment.",
        "channels": "What each channel adds to the logit of each emotion. The sums decide: the contributions are "
        "exact.",
        "dimensions": "Derived from the seven probabilities, not read from the clip: each emotion stands for the mean "
        "rating of its term by Russell and Mehrabian (1977), neutral for the middle.",
    },
    reliability="Of 100 answers as sure as this one ({least} to {most} for the first emotion), about {right} are right "
    "on {on}: so it was in {clips} of them. On other clips it can be less often.",
    not_reliable="How often answers as sure as this are right was not measured for these models and these channels. "
    "Take "
    "the percentages as an order, not as a promise.",
    corpora={
        "ravdess-126": "126 acted clips of two actors, of the corpus that the voice was trained on (RAVDESS), whom it "
        "never heard",
    },
    sure="The first emotion has {share}.",
    top="The seven emotions",
    now="At this moment",
    position="Position in the clip",
    no_evidence_now="no evidence",
    words_alone="words alone: {emotion}",
    language="Language: {language}",
    seen="seen {start} to {end}",
    most_of="on the whole {emotion}",
    face_at="Face at {time}: {emotion}",
    valence="Valence (unpleasant to pleasant)",
    arousal="Arousal (calm to roused)",
    from_to="from −1 to 1",
    contribution="added to the logit",
    sum="sum",
    no_tags_over_time="This answer does not say when each sound is heard.",
    about=(
        "Triptych reads the emotion that a clip expresses, as an onlooker might, from face, sounds, voice and words.",
        "It does not read what a person feels. A calm face can hide grief, and an actor feels nothing of what he "
        "shows.",
        "It names seven emotions only, and people of one culture and one way of filming taught it most of what it "
        "knows.",
    ),
    limits=(
        "Do not decide about anyone by it. In the European Union, inferring emotions at work and in education is "
        "forbidden (AI Act, article 5), and people who are analysed must be told.",
        "Results differ between people, cultures, languages and recording conditions.",
    ),
    no_video={
        "none": "The clip's file was not at hand when this page was written.",
        "large": "The copy with hidden faces is too large to be put into this page.",
        "unreadable": "The clip could not be read when this page was written.",
    },
    linked_video="The video is not part of this file; it is played from {link}.",
    redacted="Faces that were found are blurred. A face that was not found at any moment is not.",
    made_by="Triptych {triptych} · Triton {triton} · this file loads nothing from anywhere",
)
