"""Russian: the words of answers and reports."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files

from triptych_client.labels import Labels, Phrases


def audio_tags() -> Mapping[str, str]:
    """Return the Russian names of AudioSet's 527 classes by their English display names, in lower case.

    They are the package's file audioset_ru.tsv, which is under CC BY-SA 4.0 as the ontology that it translates.
    """
    text = files("triptych_client").joinpath("audioset_ru.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines() if not line.startswith("#"))


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
        "person": "человек",
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
        "speech_detection": "обнаружение речи",
        "speech_recognition": "распознавание речи",
        "face_detection": "обнаружение лиц",
        "face": "лицо",
        "audio_tags": "звуковые теги",
        "sound": "звуки",
        "voice": "голос",
        "words": "слова",
        "adaptation": "приспособлено к",
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
        "mouth": "Ответ о человеке {number}: его рот движется вместе с речью.",
        "moves": "Ответ о человеке {number}: другие лица неподвижны.",
        "speech": "Ответ о человеке {number}: его лицо видно дольше всего, пока звучит речь.",
        "size": "Ответ о человеке {number}: его лицо самое крупное.",
    },
    seconds="с",
    frames_per_second="кадр/с",
    without_video="без видео",
    without_audio="без звука",
    incomplete="проанализировано не всё: {minutes} мин",
    audio_track="слышна звуковая дорожка {number} из {count}",
    only_channel="слышен только канал {channel}",
    channels_inverted="каналы звука гасят друг друга: часть из них перевёрнута",
    audio_tags=audio_tags(),
    reasons={
        "uncalibrated": "модель не откалибрована",
        "no_model": "модель не установлена",
        "not_finite": "модель выдала нечисловой результат",
        "step_failed": "сбой на одном из шагов сервера; причина в его журнале",
        "no_video_track": "в файле нет видеодорожки",
        "unknown_video_format": "формат видеодорожки неизвестен",
        "undecodable_video": "ни один кадр видео ({value}) не удалось декодировать",
        "decoder_crashed": "декодер аварийно завершился на этой дорожке",
        "decoder_memory": "декодирование дорожки требует больше {value} МиБ памяти",
        "decoder_time": "декодирование дорожки требует больше {value} с",
        "no_face": "лицо не найдено (просмотрено кадров: {value})",
        "faces_left_out": "пропущено лиц: {value} (их слишком много, у каждого человека взята часть)",
        "seen_in_part": "изображение просмотрено только за {value} с",
        "no_audio_track": "в файле нет звуковой дорожки",
        "unknown_audio_format": "формат звуковой дорожки неизвестен",
        "undecodable_audio": "звук ({value}) не удалось декодировать",
        "silent": "звуковая дорожка беззвучна",
        "no_sound": "звука нет",
        "no_speech": "речь не обнаружена",
        "unsupported_language": "речь на языке, которого модель слов не знает: {value}",
    },
    rationale=Phrases(
        unquoted={
            "face": "лицо ({when})",
            "sound": "звук ({when})",
            "voice": "голос ({when})",
            "words": "слова ({when})",
        },
        quoted={"sound": "звук «{what}» ({when})", "words": "слова «{what}» ({when})"},
        moment="{start} с",
        stretch="{start}–{end} с",
        decimal=",",
        conjunction=" и ",
        no_evidence="Ни один канал не дал данных.",
        named="{emotion} ({percent:.0f} %), главным образом: {causes}.",
        abstained="Явной эмоции нет: впереди {emotion} ({percent:.0f} %), главным образом: {causes}.",
        unexplained="{emotion} ({percent:.0f} %); ни одно из данных не выделяется.",
        against="{part} — за эмоцию «{emotion}».",
        against_many="{part} — за эмоцию «{emotion}».",
    ),
)
