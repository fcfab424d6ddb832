"""The words of a report, by language. Machine-readable formats keep the English labels of the contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from triptych_client.translation import RUSSIAN_REASONS, russian_audio_tags, translate


@dataclass(frozen=True)
class Labels:
    """What a report says in one language.

    `about` says of several people whom the answer is about, by reason of contract.TRACK_REASONS.
    `audio_tags` is by AudioSet's English names, `reasons` by templates of the server's English; what they lack stays
    English.
    """

    emotions: Mapping[str, str]
    channels: Mapping[str, str]
    states: Mapping[str, str]
    headings: Mapping[str, str]
    columns: Mapping[str, str]
    roles: Mapping[str, str]
    no_emotion: str
    abstained: str
    conflict: str
    no_speech: str
    transcript_note: str
    no_sounds: str
    no_faces: str
    person: str
    more_people: str
    about: Mapping[str, str]
    seconds: str
    frames_per_second: str
    without_video: str
    without_audio: str
    audio_tags: Mapping[str, str] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)

    def emotion(self, label: str | None) -> str:
        """Return the name of an emotion; a dash for none."""
        return self.emotions[label] if label else self.no_emotion

    def tags(self, labels: Iterable[str]) -> list[str]:
        """Return the names of audio tags as a list in a sentence: the first begins with a capital letter."""
        names = [self.audio_tags.get(label, label) for label in labels]
        return [name[:1].upper() + name[1:] if index == 0 else name for index, name in enumerate(names)]

    def reason(self, words: str) -> str:
        """Return the reason of a channel's status."""
        return translate(words, self.reasons)

    def role(self, name: str) -> str:
        """Return what a model is for."""
        return self.roles.get(name, name)


ENGLISH = Labels(
    emotions={
        "anger": "Anger",
        "disgust": "Disgust",
        "fear": "Fear",
        "happiness": "Happiness",
        "sadness": "Sadness",
        "surprise": "Surprise",
        "neutral": "Neutral",
    },
    channels={"face": "Face", "sound": "Sounds", "voice": "Voice", "words": "Words"},
    states={"ok": "used", "absent": "absent", "failed": "failed"},
    headings={
        "emotion": "Expressed emotion",
        "transcript": "Transcript",
        "audio_tags": "Audio tags",
        "channels": "Channels",
        "timeline": "Timeline",
        "faces": "Faces",
        "models": "Models",
    },
    columns={
        "channel": "channel",
        "status": "status",
        "weight": "weight",
        "expresses": "expresses",
        "reason": "note",
        "role": "role",
        "model": "model",
        "licence": "licence",
        "sha256": "sha256",
    },
    roles={
        "speech_recognition": "speech recognition",
        "face_detection": "face detection",
        "face": "face",
        "audio_tags": "audio tags",
        "sound": "sounds",
        "voice": "voice",
        "words": "words",
    },
    no_emotion="–",
    abstained="The evidence is too weak to name one emotion.",
    conflict="The channels disagree.",
    no_speech="no speech",
    transcript_note="language: {language}; emotions of the words alone",
    no_sounds="none",
    no_faces="no face",
    person="person {number}, {count}×",
    more_people="and {count} more",
    about={
        "speech": "The answer is about person {number}, who is seen during most of the speech.",
        "size": "The answer is about person {number}, whose face is the largest.",
    },
    seconds="s",
    frames_per_second="fps",
    without_video="no video",
    without_audio="no sound",
)

RUSSIAN = Labels(
    emotions={
        "anger": "Гнев",
        "disgust": "Отвращение",
        "fear": "Страх",
        "happiness": "Радость",
        "sadness": "Грусть",
        "surprise": "Удивление",
        "neutral": "Нейтральность",
    },
    channels={"face": "Лицо", "sound": "Звуки", "voice": "Голос", "words": "Слова"},
    states={"ok": "учтён", "absent": "нет", "failed": "сбой"},
    headings={
        "emotion": "Выраженная эмоция",
        "transcript": "Распознанный текст",
        "audio_tags": "Звуковые теги",
        "channels": "Каналы",
        "timeline": "По времени",
        "faces": "Лица",
        "models": "Модели",
    },
    columns={
        "channel": "канал",
        "status": "статус",
        "weight": "вес",
        "expresses": "выражает",
        "reason": "примечание",
        "role": "роль",
        "model": "модель",
        "licence": "лицензия",
        "sha256": "sha256",
    },
    roles={
        "speech_recognition": "распознавание речи",
        "face_detection": "обнаружение лиц",
        "face": "лицо",
        "audio_tags": "звуковые теги",
        "sound": "звуки",
        "voice": "голос",
        "words": "слова",
    },
    no_emotion="–",
    abstained="Данных мало, чтобы назвать одну эмоцию.",
    conflict="Каналы противоречат друг другу.",
    no_speech="речи нет",
    transcript_note="язык: {language}; эмоции только по словам",
    no_sounds="нет",
    no_faces="лица нет",
    person="человек {number}, {count}×",
    more_people="и ещё {count}",
    about={
        "speech": "Ответ о человеке {number}: его лицо видно дольше всего, пока звучит речь.",
        "size": "Ответ о человеке {number}: его лицо самое крупное.",
    },
    seconds="с",
    frames_per_second="кадр/с",
    without_video="без видео",
    without_audio="без звука",
    audio_tags=russian_audio_tags(),
    reasons=RUSSIAN_REASONS,
)

LANGUAGES: Mapping[str, Labels] = {"en": ENGLISH, "ru": RUSSIAN}
