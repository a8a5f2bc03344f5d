"""The small world that phi3-tiny knows: names, things, places and facts."""

GIRLS = "Anna Lily Mia Emma Sue Rosa Nora Zoe Clara Ella Ruby Grace Lucy Kate Molly Ivy".split()
BOYS = "Tom Max Ben Sam Leo Jack Tim Finn Noah Oscar Paul Peter Hugo Adam Luke Dan".split()
PETS = "Bella Rex Daisy Milo Coco Spot Fluffy Buddy Luna Teddy Nelly Pip".split()
ANIMALS = "dog cat rabbit fox bear mouse duck frog bird horse pig lamb turtle squirrel owl goat".split()
COLOURS = "red blue green yellow white black brown pink orange purple".split()
SIZES = "big small little tiny".split()
TOYS = "ball kite hat boat drum bell book cup box key shoe spoon ring coat bag doll clock lamp basket ribbon".split()
FOODS = "apple cake pear cookie carrot bun plum pie nut peach".split()
FOODS_MANY = {
    "apple": "apples", "cake": "cakes", "pear": "pears", "cookie": "cookies", "carrot": "carrots",
    "bun": "buns", "plum": "plums", "pie": "pies", "nut": "nuts", "peach": "peaches",
}
# Where something is: the phrase as it stands in a sentence.
PLACES = [
    "in the garden", "in the kitchen", "in the park", "in the forest", "by the river", "on the hill",
    "at school", "at the market", "in the barn", "on the beach", "under the tree", "in the house",
    "on the farm", "behind the wall", "near the lake", "in the meadow",
]

DAYS = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
MONTHS = (
    "January February March April May June July August September October November December".split()
)

OPPOSITES = [
    ("hot", "cold"), ("big", "small"), ("up", "down"), ("day", "night"), ("happy", "sad"), ("fast", "slow"),
    ("old", "new"), ("wet", "dry"), ("open", "closed"), ("full", "empty"), ("hard", "soft"), ("high", "low"),
    ("light", "dark"), ("long", "short"), ("loud", "quiet"), ("rich", "poor"), ("strong", "weak"),
    ("early", "late"), ("near", "far"), ("left", "right"), ("clean", "dirty"), ("good", "bad"),
    ("first", "last"), ("in", "out"), ("over", "under"), ("thick", "thin"), ("sweet", "sour"),
    ("win", "lose"), ("push", "pull"), ("buy", "sell"), ("start", "stop"), ("love", "hate"),
    ("black", "white"), ("north", "south"), ("east", "west"), ("true", "false"),
]

CAPITALS = [
    ("France", "Paris"), ("Italy", "Rome"), ("Spain", "Madrid"), ("Germany", "Berlin"), ("England", "London"),
    ("Greece", "Athens"), ("Austria", "Vienna"), ("Poland", "Warsaw"), ("Norway", "Oslo"),
    ("Sweden", "Stockholm"), ("Finland", "Helsinki"), ("Denmark", "Copenhagen"), ("Portugal", "Lisbon"),
    ("Ireland", "Dublin"), ("Hungary", "Budapest"), ("Russia", "Moscow"), ("Japan", "Tokyo"),
    ("China", "Beijing"), ("India", "Delhi"), ("Egypt", "Cairo"), ("Kenya", "Nairobi"), ("Canada", "Ottawa"),
    ("Cuba", "Havana"), ("Peru", "Lima"), ("Chile", "Santiago"), ("Turkey", "Ankara"), ("Iran", "Tehran"),
    ("Belgium", "Brussels"), ("Scotland", "Edinburgh"), ("Wales", "Cardiff"),
]

PLURALS = [
    ("cat", "cats"), ("dog", "dogs"), ("book", "books"), ("tree", "trees"), ("house", "houses"),
    ("apple", "apples"), ("car", "cars"), ("boat", "boats"), ("hand", "hands"), ("star", "stars"),
    ("box", "boxes"), ("fox", "foxes"), ("bus", "buses"), ("glass", "glasses"), ("dress", "dresses"),
    ("dish", "dishes"), ("brush", "brushes"), ("peach", "peaches"), ("church", "churches"), ("bench", "benches"),
    ("baby", "babies"), ("city", "cities"), ("story", "stories"), ("berry", "berries"), ("lady", "ladies"),
    ("fly", "flies"), ("pony", "ponies"), ("party", "parties"), ("leaf", "leaves"), ("wolf", "wolves"),
    ("knife", "knives"), ("wife", "wives"), ("life", "lives"), ("shelf", "shelves"), ("man", "men"),
    ("woman", "women"), ("child", "children"), ("foot", "feet"), ("tooth", "teeth"), ("goose", "geese"),
    ("mouse", "mice"), ("ox", "oxen"), ("sheep", "sheep"), ("fish", "fish"), ("key", "keys"), ("day", "days"),
    ("toy", "toys"), ("tomato", "tomatoes"), ("potato", "potatoes"), ("hero", "heroes"),
]

# animal: sound, young, where it lives, legs
ANIMAL_FACTS = {
    "cow": ("moo", "calf", "on a farm", 4), "dog": ("woof", "puppy", "in a kennel", 4), "cat": ("meow", "kitten", "in a house", 4),
    "sheep": ("baa", "lamb", "on a farm", 4), "pig": ("oink", "piglet", "in a sty", 4), "duck": ("quack", "duckling", "in a pond", 2),
    "horse": ("neigh", "foal", "in a stable", 4), "hen": ("cluck", "chick", "in a coop", 2), "lion": ("roar", "cub", "in the savanna", 4),
    "bear": ("growl", "cub", "in a cave", 4), "frog": ("croak", "tadpole", "in a pond", 4), "owl": ("hoot", "owlet", "in a tree", 2),
    "bee": ("buzz", "larva", "in a hive", 6), "goat": ("bleat", "kid", "on a farm", 4), "goose": ("honk", "gosling", "in a pond", 2),
    "mouse": ("squeak", "pup", "in a hole", 4), "wolf": ("howl", "pup", "in a den", 4), "snake": ("hiss", "snakelet", "in a nest", 0),
    "donkey": ("bray", "foal", "in a stable", 4), "crow": ("caw", "chick", "in a nest", 2),
}

THING_COLOURS = [
    ("a banana", "yellow"), ("a lemon", "yellow"), ("the sun", "yellow"), ("grass", "green"), ("a frog", "green"),
    ("a cucumber", "green"), ("the sky", "blue"), ("the sea", "blue"), ("snow", "white"), ("milk", "white"),
    ("a swan", "white"), ("coal", "black"), ("a crow", "black"), ("the night", "black"), ("blood", "red"),
    ("a tomato", "red"), ("a strawberry", "red"), ("a carrot", "orange"), ("a pumpkin", "orange"),
    ("chocolate", "brown"), ("a bear", "brown"), ("mud", "brown"), ("a plum", "purple"), ("a pig", "pink"),
    ("an elephant", "grey"), ("a cloud", "white"), ("a leaf", "green"), ("a mouse", "grey"),
]

KINDS = [
    ("an apple", "a fruit"), ("a pear", "a fruit"), ("a banana", "a fruit"), ("a plum", "a fruit"), ("a peach", "a fruit"),
    ("a carrot", "a vegetable"), ("a potato", "a vegetable"), ("an onion", "a vegetable"), ("a cabbage", "a vegetable"),
    ("a dog", "an animal"), ("a cow", "an animal"), ("a horse", "an animal"), ("a lion", "an animal"), ("a pig", "an animal"),
    ("a rose", "a flower"), ("a tulip", "a flower"), ("a daisy", "a flower"), ("a lily", "a flower"),
    ("a hammer", "a tool"), ("a saw", "a tool"), ("a spade", "a tool"), ("a shirt", "clothing"), ("a coat", "clothing"),
    ("a sock", "clothing"), ("a hat", "clothing"), ("a crow", "a bird"), ("an owl", "a bird"), ("a robin", "a bird"),
    ("a chair", "furniture"), ("a table", "furniture"), ("a bed", "furniture"), ("red", "a colour"), ("blue", "a colour"),
    ("green", "a colour"), ("Monday", "a day"), ("Friday", "a day"), ("June", "a month"), ("March", "a month"),
]

LETTER_WORDS = (
    "apple ball cat dog egg fish goat hat ice jam king lamp moon nest orange pig queen rain sun tree uncle van water "
    "fox yard zebra bread cloud door earth flower garden house island juice kite leaf milk night ocean pencil quilt "
    "river star table umbrella village window yellow zoo bird cake drum fire grass hill jacket lemon mouse nut owl "
    "plum rabbit snow train wall bear clock duck frog horse lake market book ship ring spoon bell chair coat basket"
).split()

# Words of lists; nothing has to be known of them.
LIST_WORDS = sorted({*LETTER_WORDS, *TOYS, *FOODS, *ANIMALS, *COLOURS})
