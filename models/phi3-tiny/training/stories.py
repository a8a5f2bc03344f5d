"""Small stories with a hero, a thing, a place, a problem and an ending; who, what and where stay the same throughout."""

from dataclasses import dataclass
from random import Random

from words import ANIMALS, BOYS, COLOURS, FOODS, FOODS_MANY, GIRLS, PETS, PLACES, TOYS


@dataclass(frozen=True)
class Hero:
    name: str
    kind: str
    he: str
    him: str
    his: str

    @property
    def about(self) -> str:
        return f"{a(self.kind)} named {self.name}"


def a(noun: str) -> str:
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def make_hero(r: Random, taken: tuple[str, ...] = ()) -> Hero:
    while True:
        kind = r.choice(("girl", "boy", "animal"))
        if kind == "girl":
            hero = Hero(r.choice(GIRLS), "girl", "she", "her", "her")
        elif kind == "boy":
            hero = Hero(r.choice(BOYS), "boy", "he", "him", "his")
        else:
            he = r.random() < 0.5
            # Pets' names in even places are hers; an animal may be called like a child, too.
            name = r.choice([*PETS[he::2], *(BOYS if he else GIRLS)])
            hero = Hero(name, r.choice(ANIMALS), *(("he", "him", "his") if he else ("she", "her", "her")))
        if hero.name not in taken:
            return hero


@dataclass(frozen=True)
class Story:
    text: str
    hero: Hero
    # What the story is about, as a prompt may name it.
    topic: str
    # Question and answer about the story.
    questions: tuple[tuple[str, str], ...]


def opening(r: Random, h: Hero) -> str:
    mood = r.choice(("happy", "kind", "brave", "curious", "clever", "shy", "little"))
    return r.choice((
        f"Once upon a time there was {a(mood)} {h.kind} named {h.name}.",
        f"There once was {a(mood)} {h.kind} named {h.name}.",
        f"{h.name} was {a(mood)} {h.kind}.",
    ))


def ending(r: Random, h: Hero, f: Hero) -> str:
    return r.choice((
        f"{h.name} was very happy, and {h.he} thanked {f.name}.",
        f"\"Thank you, {f.name}!\" said {h.name}. From that day on they were best friends.",
        f"{h.name} and {f.name} laughed and went home together.",
        f"{h.name} hugged {f.name}, and they played until the sun went down.",
        f"That night {h.name} slept well and dreamed of {f.name}.",
    ))


def lost(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    thing = f"{r.choice(COLOURS)} {r.choice(TOYS)}"
    first, second = r.sample(PLACES, 2)
    text = " ".join((
        opening(r, h),
        r.choice((f"{h.he.capitalize()} had {a(thing)}, and {h.he} loved it very much.", f"{h.name} loved {h.his} {thing} more than anything.")),
        r.choice((f"One day {h.name} played {first} and lost the {thing}.", f"One morning the {thing} was gone.")),
        r.choice((f"{h.name} looked {first}, but it was not there.", f"{h.he.capitalize()} looked and looked {first}, but {h.he} could not find it.")),
        r.choice((f"{h.name} began to cry.", f"{h.name} was very sad.")),
        f"Then {f.name} the {f.kind} came by." if f.kind in ANIMALS else f"Then {h.his} friend {f.name} came by.",
        r.choice((f"\"Do not cry,\" said {f.name}. \"I will help you.\"", f"\"What is wrong?\" asked {f.name}. \"I lost my {thing},\" said {h.name}.")),
        f"They looked {second}, and there was the {thing}!",
        ending(r, h, f),
    ))
    return Story(text, h, f"{a(thing)}", (
        (f"What did {h.name} lose?", f"{a(thing)}."),
        (f"Who helped {h.name}?", f"{f.name}."),
        (f"Where was the {thing}?", f"{second}."),
    ))


def shared(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    food = r.choice(FOODS)
    many = FOODS_MANY[food]
    place = r.choice(PLACES)
    count = r.choice(("two", "three", "four", "five"))
    text = " ".join((
        opening(r, h),
        r.choice((f"One day {h.he} had {count} {many} in a basket.", f"One day {h.his} mother gave {h.him} {count} {many}.")),
        f"{h.he.capitalize()} sat down {place} to eat.",
        f"There {h.he} saw {f.name}, {a(f.kind)}.",
        r.choice((f"{f.name} looked very hungry.", f"{f.name} had nothing to eat.")),
        r.choice((f"\"I have {count} {many},\" said {h.name}. \"Take one, please.\"", f"\"Would you like {a(food)}?\" asked {h.name}.", f"{h.name} thought for a moment and gave {f.him} {a(food)}.")),
        r.choice((f"They ate the {many} together, and they tasted sweet.", f"{f.name} ate it at once and smiled.")),
        r.choice((f"\"Sharing makes everything taste better,\" said {h.name}.", f"{f.name} said, \"You are a good friend, {h.name}.\"", f"Now {h.name} had a new friend.")),
    ))
    return Story(text, h, a(food), (
        (f"What did {h.name} share?", f"{many}."),
        (f"Who was hungry?", f"{f.name}."),
        (f"Where did {h.name} sit?", f"{place}."),
    ))


def stuck(r: Random) -> Story:
    h = make_hero(r)
    animal = r.choice([x for x in ANIMALS if x != h.kind])
    place = r.choice(PLACES)
    trap, tool = r.choice((("in a hole", "rope"), ("in the mud", "stick"), ("in a tree", "ladder"), ("in a net", "knife"), ("behind a gate", "key")))
    text = " ".join((
        opening(r, h),
        f"One day {h.he} walked {place}." if place.split()[0] in ("in", "on", "by", "near") else f"One day {h.he} was {place}.",
        r.choice((f"Suddenly {h.he} heard a small voice. \"Help! Help!\"", f"There {h.he} heard someone cry for help.")),
        f"It was {a(r.choice(('little', 'young', 'tiny')))} {animal} that was stuck {trap}.",
        r.choice((f"\"Do not worry,\" said {h.name}. \"I will get you out.\"", f"\"Wait here,\" said {h.name}. \"I have an idea.\"")),
        f"{h.he.capitalize()} ran home and came back with a {tool}.",
        f"With the {tool} {h.he} helped the {animal}, and soon the {animal} was free.",
        r.choice((f"\"Thank you, {h.name}!\" said the {animal}.", f"The {animal} jumped for joy.")),
        r.choice((f"{h.name} was proud and went home.", f"After that the {animal} came to see {h.name} every day.")),
    ))
    return Story(text, h, a(animal), (
        (f"Who was stuck?", f"the {animal}."),
        (f"Where was the {animal} stuck?", f"{trap}."),
        (f"What did {h.name} use?", f"a {tool}."),
    ))


def rain(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    place = r.choice(PLACES)
    shelter = r.choice(("an old barn", "a small cave", "a big tree", "an empty house", "a wooden bridge"))
    game = r.choice(("told stories", "sang songs", "counted the drops", "played a game"))
    text = " ".join((
        opening(r, h),
        r.choice((f"One day {h.he} played {place} with {f.name}.", f"{h.name} and {h.his} friend {f.name} were {place}.")),
        r.choice(("Dark clouds came, and it began to rain.", "Then the sky turned dark and it started to rain.")),
        r.choice((f"\"I am getting wet!\" cried {f.name}.", f"\"We must find a dry place,\" said {f.name}.")),
        f"{h.name} saw {shelter}. \"Come with me!\" {h.he} called.",
        f"They ran to {shelter} and {game}.",
        r.choice(("Soon the sun came out again.", "After a while the rain stopped.")),
        r.choice((f"There was a rainbow in the sky, and {h.name} and {f.name} smiled.", f"\"What a fine day,\" said {h.name}, and they went home.")),
    ))
    return Story(text, h, "the rain", (
        (f"Who was with {h.name}?", f"{f.name}."),
        (f"Where did they run?", f"to {shelter}."),
    ))


def grown(r: Random) -> Story:
    h = make_hero(r)
    plant = r.choice(("sunflower", "rose", "tree", "bean", "pumpkin"))
    place = r.choice(PLACES[:6])
    colour = r.choice(COLOURS)
    text = " ".join((
        opening(r, h),
        r.choice((f"One day {h.he} found {a(colour)} seed {place}.", f"One day a bird gave {h.him} {a(colour)} seed.")),
        f"{h.name} put the {colour} seed into the ground and gave it water.",
        r.choice((f"Every day {h.he} waited, but nothing came up.", f"{h.he.capitalize()} waited and waited.")),
        r.choice((f"\"Be patient,\" said {h.his} mother.", f"\"Good things take time,\" said {h.his} grandfather.")),
        f"Then one morning a small green leaf came out.",
        f"It grew and grew, and it was a {plant}!",
        r.choice((f"{h.name} danced around the {plant} with joy.", f"{h.name} was so proud of {h.his} {plant}.")),
    ))
    return Story(text, h, a(plant), (
        (f"What did {h.name} grow?", f"a {plant}."),
        (f"What colour was the seed?", f"{colour}."),
    ))


def race(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    place = r.choice([p for p in PLACES if p.split()[0] in ("in", "on", "by", "near")])
    prize = f"{r.choice(COLOURS)} {r.choice(TOYS)}"
    winner, loser = (h, f) if r.random() < 0.5 else (f, h)
    text = " ".join((
        opening(r, h),
        f"One day {h.name} and {f.name} had a race {place}.",
        f"The prize was {a(prize)}.",
        f"\"One, two, three, go!\" called {r.choice(('the owl', 'the teacher', 'the farmer', 'an old man'))}.",
        r.choice((f"{loser.name} ran fast, but {winner.name} ran faster.", f"At first {loser.name} was ahead, but then {loser.he} fell down.")),
        f"{winner.name} won the race and got the {prize}.",
        r.choice((f"\"Well done, {winner.name}!\" said {loser.name}.", f"{loser.name} was sad, so {winner.name} let {loser.him} hold the {prize}.")),
        r.choice(("They shook hands and were still friends.", f"\"Let us run again tomorrow,\" said {winner.name}.")),
    ))
    return Story(text, h, "a race", (
        (f"Who won the race?", f"{winner.name}."),
        (f"What was the prize?", f"{a(prize)}."),
    ))


def mended(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    thing = f"{r.choice(COLOURS)} {r.choice(TOYS)}"
    place = r.choice(PLACES)
    text = " ".join((
        opening(r, h),
        f"{h.he.capitalize()} borrowed {a(thing)} from {f.name} and played with it {place}.",
        f"But {h.name} was not careful, and the {thing} broke.",
        r.choice((f"\"Oh no!\" said {h.name}. \"What will {f.name} say?\"", f"{h.name} was afraid to tell {f.name}.")),
        r.choice((f"{h.he.capitalize()} took the {thing} home and mended it with glue.", f"{h.his.capitalize()} father helped {h.him} to mend the {thing}.")),
        f"Then {h.name} went to {f.name} and told the truth.",
        r.choice((f"\"I am sorry,\" said {h.name}. \"I broke your {thing}, but I mended it.\"", f"\"I am sorry that I broke your {thing},\" said {h.name}.")),
        r.choice((f"{f.name} was not angry. \"Thank you for telling me,\" {f.he} said.", f"{f.name} smiled. \"It looks like new,\" {f.he} said.")),
    ))
    return Story(text, h, a(thing), (
        (f"What broke?", f"the {thing}."),
        (f"Whose {thing.split()[1]} was it?", f"{f.name}."),
    ))


def birthday(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    gift = f"{r.choice(COLOURS)} {r.choice(TOYS)}"
    place = r.choice(PLACES)
    cook = r.choice(("mother", "father", "grandmother", "aunt"))
    food = r.choice(("cake", "pie", "bun", "cookie"))
    text = " ".join((
        opening(r, h),
        r.choice((f"Today was {h.his} birthday.", f"It was {h.his} birthday, and the sun was shining.")),
        f"{h.his.capitalize()} {cook} made {a(food)} for {h.him}.",
        f"{f.name} the {f.kind} came to the party {place}." if f.kind in ANIMALS else f"{h.his.capitalize()} friend {f.name} came to the party {place}.",
        r.choice((f"\"This is for you,\" said {f.name} and gave {h.him} {a(gift)}.", f"{f.name} had a gift for {h.him}. It was {a(gift)}.")),
        r.choice((f"\"I always wanted {a(gift)}!\" said {h.name}.", f"{h.name} liked the {gift} very much.")),
        f"They sang a song and ate the {food}.",
        r.choice((f"It was the best birthday of all.", f"\"Thank you for coming, {f.name},\" said {h.name}.")),
    ))
    return Story(text, h, "a birthday", (
        (f"What did {f.name} give to {h.name}?", f"{a(gift)}."),
        (f"Who made the {food}?", f"{h.his} {cook}."),
        (f"Where was the party?", f"{place}."),
    ))


def hidden(r: Random) -> Story:
    h = make_hero(r)
    f = make_hero(r, (h.name,))
    wrong, right = r.sample(PLACES, 2)
    heard = r.choice(("a laugh", "a small noise", "a sneeze", "a song"))
    text = " ".join((
        opening(r, h),
        r.choice((f"One day {h.name} and {f.name} played hide and seek.", f"One day {f.name} said, \"Let us play hide and seek!\"")),
        f"{h.name} closed {h.his} eyes and counted to ten.",
        r.choice((f"First {h.he} looked {wrong}, but nobody was there.", f"\"Are you {wrong}?\" {h.he} called, but nobody was there.")),
        f"Then {h.he} heard {heard}.",
        f"{h.name} looked {right}, and there was {f.name}!",
        r.choice((f"\"I found you!\" cried {h.name}.", f"\"You are good at this game,\" said {f.name}.")),
        r.choice((f"Then it was {f.name}'s turn to seek.", f"They played until it was time for supper.")),
    ))
    return Story(text, h, "hide and seek", (
        (f"Where was {f.name}?", f"{right}."),
        (f"What did {h.name} hear?", f"{heard}."),
        (f"Who was hiding?", f"{f.name}."),
    ))


def bought(r: Random) -> Story:
    h = make_hero(r)
    thing = f"{r.choice(COLOURS)} {r.choice(TOYS)}"
    job = r.choice(("carried water", "swept the floor", "fed the hens", "picked berries", "washed the windows"))
    person = r.choice(("the farmer", "the baker", "the teacher", "the old woman"))
    coins = r.choice(("two", "three", "four", "five"))
    text = " ".join((
        opening(r, h),
        f"{h.he.capitalize()} saw {a(thing)} at the market and wanted to buy it.",
        r.choice((f"But {h.he} had no money.", f"It cost {coins} coins, and {h.he} had none.")),
        f"So {h.name} went to {person} and {job} all day.",
        r.choice((f"In the evening {person} gave {h.him} {coins} coins.", f"\"You worked well,\" said {person} and gave {h.him} {coins} coins.")),
        f"{h.name} ran to the market and bought the {thing}.",
        r.choice((f"\"I worked for it myself,\" {h.he} said.", f"{h.he.capitalize()} took good care of it.")),
    ))
    return Story(text, h, a(thing), (
        (f"What did {h.name} buy?", f"{a(thing)}."),
        (f"Who gave {h.name} the coins?", f"{person}."),
        (f"How many coins did {h.name} get?", f"{coins}."),
    ))


PLOTS = (birthday, hidden, bought, lost, shared, stuck, rain, grown, race, mended)


def make_story(r: Random) -> Story:
    return r.choice(PLOTS)(r)


def story_prompt(r: Random, s: Story) -> str:
    return r.choice((
        f"Tell me a story about {s.hero.about}.",
        f"Tell me a story about {s.hero.about} and {s.topic}.",
        f"Write a short story about {s.topic}.",
        f"Tell me a story about {s.topic}.",
        f"Can you tell me a story about {s.hero.name}?",
        "Tell me a story.",
    ))
