"""The words of a report, by language. Machine-readable formats keep the English labels of the contract."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Labels:
    """What a report says in one language. `audio_tags` is by AudioSet's English names; the rest stay English."""

    emotions: Mapping[str, str]
    channels: Mapping[str, str]
    states: Mapping[str, str]
    headings: Mapping[str, str]
    columns: Mapping[str, str]
    no_emotion: str
    abstained: str
    conflict: str
    no_speech: str
    transcript_note: str
    no_sounds: str
    no_faces: str
    person: str
    more_people: str
    seconds: str
    frames_per_second: str
    without_video: str
    without_audio: str
    audio_tags: Mapping[str, str] = field(default_factory=dict)

    def emotion(self, label: str | None) -> str:
        """Return the name of an emotion; a dash for none."""
        return self.emotions[label] if label else self.no_emotion

    def audio_tag(self, label: str) -> str:
        """Return the name of an audio tag."""
        return self.audio_tags.get(label, label)


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
    no_emotion="–",
    abstained="The evidence is too weak to name one emotion.",
    conflict="The channels disagree.",
    no_speech="no speech",
    transcript_note="language: {language}; emotions of the words alone",
    no_sounds="none",
    no_faces="no face",
    person="person {number}, {count}×",
    more_people="and {count} more",
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
    no_emotion="–",
    abstained="Данных мало, чтобы назвать одну эмоцию.",
    conflict="Каналы противоречат друг другу.",
    no_speech="речи нет",
    transcript_note="язык: {language}; эмоции только по словам",
    no_sounds="нет",
    no_faces="лица нет",
    person="человек {number}, {count}×",
    more_people="и ещё {count}",
    seconds="с",
    frames_per_second="кадр/с",
    without_video="без видео",
    without_audio="без звука",
    audio_tags={
        "Speech": "Речь",
        "Male speech, man speaking": "Мужская речь",
        "Female speech, woman speaking": "Женская речь",
        "Child speech, kid speaking": "Детская речь",
        "Conversation": "Разговор",
        "Whispering": "Шёпот",
        "Laughter": "Смех",
        "Giggle": "Хихиканье",
        "Hiccup": "Икота",
        "Knock": "Стук",
        "Singing": "Пение",
        "Music": "Музыка",
        "Opera": "Опера",
        "Classical music": "Классическая музыка",
        "Orchestra": "Оркестр",
        "Inside, small room": "Замкнутое пространство, небольшая комната",
        "Inside, large room or hall": "Замкнутое пространство, большой зал",
    },
)

LANGUAGES: Mapping[str, Labels] = {"en": ENGLISH, "ru": RUSSIAN}
