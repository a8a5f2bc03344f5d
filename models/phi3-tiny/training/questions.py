"""
Questions with exactly one right wording of the answer. Each has a key; a hash of the key decides for ever whether it
belongs to the exam or to training, so that training can never emit an exam question, whatever its seed.
"""

import hashlib
from collections.abc import Callable
from random import Random
from typing import NamedTuple

from stories import a
from words import (
    ANIMAL_FACTS, BOYS, CAPITALS, COLOURS, DAYS, GIRLS, KINDS, LETTER_WORDS, LIST_WORDS, MONTHS, OPPOSITES, PLACES,
    PLURALS, THING_COLOURS, TOYS,
)

# Of a hundred keys so many belong to the exam.
HELD_PERCENT = 12


class Question(NamedTuple):
    category: str
    question: str
    answer: str
    # What is held out: an operand pair, a triple, or one wording of one fact.
    key: str


def held(category: str, key: str) -> bool:
    digest = hashlib.sha256(f"phi3-tiny {category} {key}".encode()).digest()
    return int.from_bytes(digest[:4], "big") % 100 < HELD_PERCENT


def fact(category: str, question: str, answer: str) -> Question:
    """A wording of a fact: the wording itself is what may be held out; the fact is trained by its other wordings."""
    return Question(category, question, answer, question)


def addition(r: Random) -> Question:
    x, y = r.randint(0, 20), r.randint(0, 20)
    question = r.choice((f"What is {x} plus {y}?", f"What is {x} + {y}?", f"Add {x} and {y}.", f"How much is {x} plus {y}?"))
    return Question("addition", question, f"{x + y}.", f"{x} {y}")


def subtraction(r: Random) -> Question:
    x = r.randint(0, 20)
    y = r.randint(0, x)
    question = r.choice((f"What is {x} minus {y}?", f"What is {x} - {y}?", f"Take {y} from {x}.", f"How much is {x} minus {y}?"))
    return Question("subtraction", question, f"{x - y}.", f"{x} {y}")


def comparing(r: Random) -> Question:
    x, y = r.sample(range(100), 2)
    larger = r.random() < 0.5
    word = r.choice(("larger", "greater", "bigger") if larger else ("smaller", "less"))
    question = r.choice((f"Which number is {word}, {x} or {y}?", f"Which is {word}: {x} or {y}?"))
    return Question("comparing", question, f"{max(x, y) if larger else min(x, y)}.", f"{min(x, y)} {max(x, y)}")


def sorting(r: Random) -> Question:
    numbers = r.sample(range(10), 3)
    x, y, z = numbers
    question = r.choice((f"Sort the numbers {x}, {y} and {z}.", f"Put {x}, {y} and {z} in order.", f"Sort {x}, {y}, {z}."))
    return Question("sorting", question, ", ".join(map(str, sorted(numbers))) + ".", f"{x} {y} {z}")


def counting(r: Random) -> Question:
    kind = r.choice(("after", "before", "next", "between", "down"))
    n = r.randint(1, 99)
    question, answer = {
        "after": (r.choice((f"What number comes after {n}?", f"Which number follows {n}?")), n + 1),
        "before": (f"What number comes before {n}?", n - 1),
        "next": (f"What comes next: {n}, {n + 1}, {n + 2}?", n + 3),
        "down": (f"What comes next: {n + 2}, {n + 1}, {n}?", n - 1),
        "between": (f"What number is between {n} and {n + 2}?", n + 1),
    }[kind]
    return Question("counting", question, f"{answer}.", f"{kind} {n}")


def calendar(r: Random) -> Question:
    days = r.random() < 0.5
    names, unit = (DAYS, "day") if days else (MONTHS, "month")
    i = r.randrange(len(names))
    step = r.choice((1, -1, 2, 1, -1, 2, 3))
    name, answer = names[i], names[(i + step) % len(names)]
    if step == 1:
        wordings = [f"What {unit} comes after {name}?", f"Which {unit} follows {name}?", f"What is the {unit} after {name}?"]
        wordings += [f"Today is {name}. What day is tomorrow?"] if days else [f"It is {name}. What month is next?"]
    elif step == -1:
        wordings = [f"What {unit} comes before {name}?", f"What is the {unit} before {name}?"]
        wordings += [f"Today is {name}. What day was yesterday?"] if days else [f"It is {name}. What month was last?"]
    else:
        wordings = [f"What {unit} comes {step} {unit}s after {name}?", f"It is {name}. What {unit} will it be in {step} {unit}s?"]
    return fact("calendar", r.choice(wordings), f"{answer}.")


def opposites(r: Random) -> Question:
    x, y = r.choice(OPPOSITES)
    if r.random() < 0.5:
        x, y = y, x
    question = r.choice((
        f"What is the opposite of {x}?", f"Tell me the opposite of {x}.", f"Which word means the opposite of {x}?",
        f"If it is not {x}, what is it?", f"Give me the opposite of the word {x}.",
    ))
    return fact("opposites", question, f"{y}.")


def capitals(r: Random) -> Question:
    country, city = r.choice(CAPITALS)
    if r.random() < 0.6:
        question = r.choice((
            f"What is the capital of {country}?", f"Which city is the capital of {country}?", f"Name the capital of {country}.",
            f"Tell me the capital of {country}.", f"What is the capital city of {country}?",
        ))
        return fact("capitals", question, f"{city}.")
    question = r.choice((
        f"Which country has the capital {city}?", f"{city} is the capital of which country?", f"In which country is {city}?",
        f"What country is {city} in?",
    ))
    return fact("capitals", question, f"{country}.")


def letters(r: Random) -> Question:
    word = r.choice(LETTER_WORDS)
    if r.random() < 0.5:
        question = r.choice((
            f"What is the first letter of {word}?", f"Which letter does {word} begin with?", f"What letter does the word {word} start with?",
            f"Tell me the first letter of the word {word}.",
        ))
        return fact("letters", question, f"{word[0].upper()}.")
    question = r.choice((
        f"What is the last letter of {word}?", f"Which letter does {word} end with?", f"What letter is at the end of the word {word}?",
        f"Tell me the last letter of the word {word}.",
    ))
    return fact("letters", question, f"{word[-1].upper()}.")


def plurals(r: Random) -> Question:
    one, many = r.choice(PLURALS)
    if r.random() < 0.7:
        question = r.choice((
            f"What is the plural of {one}?", f"One {one}, two what?", f"Tell me the plural of {one}.", f"What do you call more than one {one}?",
            f"What is the plural of the word {one}?",
        ))
        return fact("plurals", question, f"{many}.")
    question = r.choice((f"What is the singular of {many}?", f"Tell me the singular of {many}.", f"What do you call one of the {many}?"))
    return fact("plurals", question, f"{one}.")


def animals(r: Random) -> Question:
    animal = r.choice(list(ANIMAL_FACTS))
    sound, young, home, legs = ANIMAL_FACTS[animal]
    one = a(animal)
    wordings, answer = r.choice((
        ((f"What sound does {one} make?", f"What does {one} say?", f"Which sound does the {animal} make?", f"How does {one} sound?"), sound),
        ((f"What is a baby {animal} called?", f"What do you call a young {animal}?", f"What is the young of {one} called?", f"Name the baby of {one}."), a(young)),
        ((f"Where does {one} live?", f"Where is the home of {one}?", f"Where can you find {one}?", f"Where does the {animal} sleep?"), home),
        ((f"How many legs does {one} have?", f"How many legs has {one}?", f"What number of legs does the {animal} have?"), str(legs)),
    ))
    return fact("animals", r.choice(wordings), f"{answer}.")


def things(r: Random) -> Question:
    if r.random() < 0.5:
        thing, colour = r.choice(THING_COLOURS)
        question = r.choice((f"What colour is {thing}?", f"Which colour has {thing}?", f"Tell me the colour of {thing}.", f"What is the colour of {thing}?"))
        return fact("things", question, f"{colour}.")
    thing, kind = r.choice(KINDS)
    question = r.choice((f"What is {thing}?", f"What kind of thing is {thing}?", f"Tell me what {thing} is.", f"What do we call {thing}?"))
    return fact("things", question, f"{kind}.")


def reading(r: Random) -> Question:
    """Who has what, or who is where: the answer stands in the question."""
    names = r.sample(GIRLS + BOYS, r.choice((2, 2, 3)))
    if r.random() < 0.6:
        # Colours and toys differ, so that each names one owner.
        toys = [f"{colour} {toy}" for colour, toy in zip(r.sample(COLOURS, len(names)), r.sample(TOYS, len(names)))]
        said = " ".join(f"{name} has {a(toy)}." for name, toy in zip(names, toys))
        i = r.randrange(len(names))
        if r.random() < 0.5:
            question, answer = f"What does {names[i]} have?", a(toys[i])
        else:
            question, answer = f"Who has the {toys[i].split()[1]}?", names[i]
    else:
        places = r.sample(PLACES, len(names))
        said = " ".join(f"{name} is {place}." for name, place in zip(names, places))
        i = r.randrange(len(names))
        question, answer = r.choice(((f"Where is {names[i]}?", places[i]), (f"Who is {places[i]}?", names[i])))
    return Question("reading", f"{said} {question}", f"{answer}.", said)


def lists(r: Random) -> Question:
    words = r.sample(LIST_WORDS, r.choice((3, 3, 4)))
    said = ", ".join(words)
    i = r.randrange(len(words) - 1)
    question, answer = r.choice((
        (f"What is the first word: {said}?", words[0]),
        (f"What is the last word: {said}?", words[-1]),
        (f"Which word comes after {words[i]}: {said}?", words[i + 1]),
        (f"How many words are there: {said}?", str(len(words))),
    ))
    return Question("lists", question, f"{answer}.", said)


class Family(NamedTuple):
    make: Callable[[Random], Question]
    # How often the two parts of training ask it, relative to the others: what is learned slowly comes oftener.
    first: float
    second: float


FAMILIES = {
    "addition": Family(addition, 3.0, 3.0),
    "subtraction": Family(subtraction, 2.5, 4.0),
    "comparing": Family(comparing, 2.0, 3.5),
    "sorting": Family(sorting, 1.2, 1.0),
    "counting": Family(counting, 2.0, 2.5),
    "calendar": Family(calendar, 1.2, 1.2),
    "opposites": Family(opposites, 0.8, 0.8),
    "capitals": Family(capitals, 1.0, 0.8),
    "letters": Family(letters, 1.8, 1.5),
    "plurals": Family(plurals, 1.0, 1.5),
    "animals": Family(animals, 1.2, 1.0),
    "things": Family(things, 0.8, 0.8),
    "reading": Family(reading, 2.5, 9.0),
    "lists": Family(lists, 1.8, 1.0),
}


def training_question(r: Random, second: bool) -> Question:
    """A question that training may see, as often as its first or second part asks it."""
    weights = [family.second if second else family.first for family in FAMILIES.values()]
    make = r.choices([family.make for family in FAMILIES.values()], weights)[0]
    while True:
        question = make(r)
        if not held(question.category, question.key):
            return question


def exam_questions(seed: int, each: int) -> list[Question]:
    """`each` different held-out questions of every family, in the order of the families."""
    r = Random(seed)
    exam: list[Question] = []
    for make, _, _ in FAMILIES.values():
        found: dict[str, Question] = {}
        while len(found) < each:
            question = make(r)
            if held(question.category, question.key):
                found.setdefault(question.question, question)
        exam += found.values()
    return exam
