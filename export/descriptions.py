"""Descriptions of the emotions that texts and names of sounds are compared with, and the scale of the comparison.

The one place to tune the words and the sound channel by, until trained heads take their steps. The order of the
emotions is that of the contract. benchmarks/words_zero_shot.py and benchmarks/sound_sanity.py show what comes of it.
"""

from __future__ import annotations

SPOKEN: dict[str, tuple[str, ...]] = {
    "anger": (
        "anger",
        "The speaker is angry, annoyed and irritated.",
        "I am angry!",
        "This makes me furious. How dare you!",
        "Stop it, I am sick of this, leave me alone!",
        "You idiot, I hate you.",
        "What the hell is wrong with you?",
        "Shut up and get out!",
        "гнев",
        "Автор злится, раздражён и возмущён.",
        "Я злюсь!",
        "Это меня бесит. Да как ты смеешь!",
        "Хватит, мне это надоело, отстань!",
        "Идиот, ненавижу тебя.",
        "Какого чёрта ты творишь?",
        "Заткнись и убирайся!",
    ),
    "disgust": (
        "disgust",
        "The speaker is disgusted and repelled.",
        "That is disgusting.",
        "Yuck, how gross, it makes me sick.",
        "What a nasty, repulsive thing.",
        "I find it revolting and vile.",
        "Ew, that smells rotten, I want to throw up.",
        "He is a creep, that is sickening.",
        "отвращение",
        "Автор испытывает отвращение и брезгливость.",
        "Это отвратительно.",
        "Фу, какая гадость, меня тошнит.",
        "Какая мерзкая, противная вещь.",
        "Мне это омерзительно.",
        "Фу, воняет гнилью, сейчас вырвет.",
        "Он мерзкий тип, смотреть противно.",
    ),
    "fear": (
        "fear",
        "The speaker is afraid, anxious and nervous.",
        "I am scared.",
        "I am afraid that something terrible will happen.",
        "How terrifying! Help, run!",
        "I am so worried and nervous.",
        "What if we do not make it?",
        "It gives me the creeps, I am shaking with fear.",
        "страх",
        "Автор боится, он встревожен и напуган.",
        "Мне страшно.",
        "Я боюсь, что случится что-то ужасное.",
        "Какой ужас! Помогите, бежим!",
        "Я так волнуюсь и тревожусь.",
        "А вдруг мы не успеем?",
        "Жуть, меня трясёт от страха.",
    ),
    "happiness": (
        "happiness",
        "The speaker is happy, amused, grateful and loving.",
        "I am so happy!",
        "Great, this is wonderful, thank you!",
        "I love it, it is so funny and fun.",
        "What a joy, congratulations!",
        "Haha, good one!",
        "You did it, I am proud of you, you are amazing!",
        "радость",
        "Автор рад, доволен, благодарен и любит.",
        "Я так счастлив!",
        "Отлично, это прекрасно, спасибо!",
        "Обожаю, так смешно и весело.",
        "Какая радость, поздравляю!",
        "Ха-ха, отлично сказано!",
        "Получилось, я горжусь тобой, ты молодец!",
    ),
    "sadness": (
        "sadness",
        "The speaker is sad, hurt and disappointed.",
        "I am so sad.",
        "I feel like crying, I miss you.",
        "I am sorry for your loss, this is heartbreaking.",
        "I am lonely and disappointed.",
        "Unfortunately it is all over, nothing can be done.",
        "He died and I miss him every day.",
        "грусть",
        "Автору грустно, он опечален и разочарован.",
        "Мне так грустно.",
        "Хочется плакать, я скучаю по тебе.",
        "Соболезную, сердце разрывается.",
        "Мне одиноко, я разочарован.",
        "К сожалению, всё кончено, ничего не поделать.",
        "Он умер, мне его не хватает каждый день.",
    ),
    "surprise": (
        "surprise",
        "The speaker is surprised, curious or confused.",
        "I am surprised!",
        "Wow, really? I did not expect that!",
        "No way! I cannot believe it.",
        "What? How is that possible?",
        "Oh my god, I had no idea!",
        "That is strange, I wonder why.",
        "удивление",
        "Автор удивлён и озадачен.",
        "Я удивлён!",
        "Ого, правда? Вот это неожиданность!",
        "Не может быть! Не верю своим глазам.",
        "Что? Как такое возможно?",
        "Боже мой, я и не знал!",
        "Странно, интересно, почему так.",
    ),
    "neutral": (
        "neutral",
        "The speaker states a fact without emotion.",
        "It is on the table.",
        "The meeting starts at ten o'clock.",
        "You can find the instructions on the second page.",
        "He works at the office.",
        "I usually take the bus and it takes twenty minutes.",
        "They will publish the report next week.",
        "нейтрально",
        "Автор сообщает факт без эмоций.",
        "Это лежит на столе.",
        "Встреча начинается в десять часов.",
        "Инструкция находится на второй странице.",
        "Он работает в офисе.",
        "Обычно я езжу на автобусе, это двадцать минут.",
        "На следующей неделе опубликуют отчёт.",
    ),
}
"""What a speaker in each emotion says, and what is said of them: e5 places both near such speech."""

SPOKEN_TEMPERATURE = 0.1
SPOKEN_OFFSETS = (0.6, -0.9, 0.2, 0.2, 0.2, -0.1, 0.5)
"""Scale of the cosines, and what is added to their logits: fitted (least cross-entropy, then rounded) on 60 sentences
an emotion of GoEmotions' validation part and of CEDR, where seven classes were equally frequent. Neutral has 0.7 more
than that fit gave it, because in everyday speech it is the most frequent by far."""

SOUNDS: dict[str, tuple[str, ...]] = {
    "anger": (
        "angry shouting and yelling",
        "a furious person shouting",
        "angry, aggressive music",
        "people quarrel and fight",
        "an animal growls and snarls",
        "гневный крик и ругань",
        "злая, агрессивная музыка",
        "рычание",
    ),
    "disgust": (
        "a disgusted person gagging",
        "vomiting and retching",
        "burping, farting, disgusting bodily noises",
        "slurping and spitting",
        "groaning in disgust",
        "отвращение, тошнота и рвота",
        "отрыжка и прочие противные звуки тела",
        "плевки",
    ),
    "fear": (
        "a terrified person screaming",
        "a scream of fear and panic",
        "scary, creepy music",
        "shrieks of horror",
        "gunshots and explosions, people panic",
        "крик ужаса",
        "страшная, зловещая музыка",
        "паника, вопли",
    ),
    "happiness": (
        "happy laughter",
        "giggling, chuckling, snickering with joy",
        "people cheering, clapping and applauding",
        "happy, cheerful music",
        "a party, a celebration, fun",
        "радостный смех и хихиканье",
        "весёлая, радостная музыка",
        "аплодисменты и ликование",
    ),
    "sadness": (
        "a sad person crying and sobbing",
        "weeping, wailing and whimpering in grief",
        "sad, mournful music",
        "tears, a baby cries",
        "a moan of sorrow, a sigh",
        "грустный плач и рыдания",
        "печальная музыка",
        "стон и тяжёлый вздох",
    ),
    "surprise": (
        "a surprised gasp",
        "wow! oh! an exclamation of surprise",
        "an unexpected event",
        "an astonished person",
        "a surprising sound",
        "удивлённый возглас",
        "неожиданность",
        "ах от удивления",
    ),
    "neutral": (
        "a person speaks calmly",
        "ordinary conversation, narration",
        "an everyday household sound",
        "background noise, the hum of a machine",
        "a vehicle passes on the road",
        "спокойный разговор, повествование",
        "обычный бытовой звук",
        "фоновый шум, тишина",
    ),
}
"""Sounds that people make, hear or play in each emotion. Neutral: sounds that say nothing about any."""

SOUND_NEAREST = 2
"""A tag is compared with an emotion by its nearest descriptions: laughter need not be near applause to be happy."""
SOUND_THRESHOLD = 0.08
"""A tag speaks for an emotion by what its cosine exceeds that with neutral, and this: chance likeness says nothing."""
SOUND_GAIN = 18.0
SOUND_LIMIT = 4.0
"""Logits for one unit of cosine, and the most that one tag can add: no tag alone makes an emotion more than 55 times as
likely."""
SOUND_HEARD = 0.5
"""A tag of this probability counts in full: YAMNet gives laughter between words 0.2 to 0.6, and seldom more."""
SOUND_NEUTRAL_LOGIT = 1.0
"""Neutral before any tag is heard: e times as likely as each of the others, 31 %. Chosen, not trained."""
