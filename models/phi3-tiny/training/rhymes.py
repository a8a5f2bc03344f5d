"""Texts that belong to everybody: nursery rhymes and proverbs as handed down, fables of Aesop retold for this model."""

RHYMES = [
    "Twinkle, twinkle, little star,\nHow I wonder what you are!\nUp above the world so high,\nLike a diamond in the sky.\nTwinkle, twinkle, little star,\nHow I wonder what you are!",
    "Humpty Dumpty sat on a wall,\nHumpty Dumpty had a great fall.\nAll the king's horses and all the king's men\nCouldn't put Humpty together again.",
    "Jack and Jill went up the hill\nTo fetch a pail of water.\nJack fell down and broke his crown,\nAnd Jill came tumbling after.",
    "Mary had a little lamb,\nIts fleece was white as snow;\nAnd everywhere that Mary went\nThe lamb was sure to go.",
    "Hey diddle diddle,\nThe cat and the fiddle,\nThe cow jumped over the moon.\nThe little dog laughed to see such sport,\nAnd the dish ran away with the spoon.",
    "Baa, baa, black sheep,\nHave you any wool?\nYes, sir, yes, sir,\nThree bags full:\nOne for the master,\nAnd one for the dame,\nAnd one for the little boy\nWho lives down the lane.",
    "Hickory, dickory, dock,\nThe mouse ran up the clock.\nThe clock struck one,\nThe mouse ran down,\nHickory, dickory, dock.",
    "Little Miss Muffet\nSat on a tuffet,\nEating her curds and whey.\nThere came a big spider,\nWho sat down beside her,\nAnd frightened Miss Muffet away.",
    "Little Bo-Peep has lost her sheep,\nAnd can't tell where to find them.\nLeave them alone, and they'll come home,\nBringing their tails behind them.",
    "Row, row, row your boat,\nGently down the stream.\nMerrily, merrily, merrily, merrily,\nLife is but a dream.",
    "One, two, buckle my shoe;\nThree, four, knock at the door;\nFive, six, pick up sticks;\nSeven, eight, lay them straight;\nNine, ten, a big fat hen.",
    "Rain, rain, go away,\nCome again another day.\nLittle Johnny wants to play.",
    "Three blind mice, three blind mice,\nSee how they run, see how they run!\nThey all ran after the farmer's wife,\nWho cut off their tails with a carving knife.\nDid you ever see such a thing in your life\nAs three blind mice?",
    "Thirty days hath September,\nApril, June, and November.\nAll the rest have thirty-one,\nExcepting February alone.",
    "London Bridge is falling down,\nFalling down, falling down.\nLondon Bridge is falling down,\nMy fair lady.",
    "Pat-a-cake, pat-a-cake, baker's man,\nBake me a cake as fast as you can.\nPat it and prick it and mark it with B,\nAnd put it in the oven for Baby and me.",
    "Old Mother Hubbard\nWent to the cupboard\nTo fetch her poor dog a bone.\nBut when she got there\nThe cupboard was bare,\nAnd so the poor dog had none.",
    "Little Jack Horner\nSat in a corner,\nEating a Christmas pie.\nHe put in his thumb\nAnd pulled out a plum,\nAnd said, \"What a good boy am I!\"",
    "Hot cross buns!\nHot cross buns!\nOne a penny, two a penny,\nHot cross buns!",
    "It's raining, it's pouring,\nThe old man is snoring.",
]

FABLES = [
    "The Fox and the Grapes. A hungry fox saw some ripe grapes that hung high on a vine. He jumped and jumped, but he could not reach them. At last he walked away and said, \"They are sour anyway.\" It is easy to despise what you cannot have.",
    "The Hare and the Tortoise. A hare laughed at a tortoise because he was slow. The tortoise asked for a race. The hare ran far ahead, lay down and fell asleep. The tortoise walked on and on, and he came to the end first. Slow and steady wins the race.",
    "The Lion and the Mouse. A lion caught a little mouse and let it go again. Soon the lion was caught in a net. The mouse heard him roar, came and bit the ropes until he was free. Little friends may prove great friends.",
    "The Dog and His Shadow. A dog with a piece of meat crossed a bridge. He saw another dog in the water with a piece of meat. He snapped at it, and his own meat fell into the river. Greedy people may lose all.",
    "The Ant and the Grasshopper. All summer the ant carried corn to her nest while the grasshopper sang. In winter the grasshopper had nothing to eat and asked the ant for food. \"Work in summer,\" said the ant, \"and you will eat in winter.\"",
    "The Crow and the Pitcher. A thirsty crow found a pitcher with a little water in it, but she could not reach it. She dropped stone after stone into the pitcher until the water came up to the top. So she could drink. Little by little does the trick.",
    "The Boy Who Cried Wolf. A shepherd boy cried \"Wolf!\" when there was no wolf, and laughed at the men who came to help. One day a wolf really came. The boy cried \"Wolf!\" but nobody came. Nobody believes a liar, even when he tells the truth.",
    "The Fox and the Crow. A crow sat in a tree with a piece of cheese. A fox said, \"What a fine voice you must have!\" The crow began to sing, and the cheese fell down to the fox. Do not trust those who flatter you.",
    "The North Wind and the Sun. The wind and the sun wanted to know who was stronger. The wind blew hard, but the traveller held his coat tight. Then the sun shone warm, and he took off his coat. Kindness does more than force.",
    "The Goose with the Golden Eggs. A man had a goose that laid a golden egg every day. He wanted all the gold at once and killed the goose. There was no gold inside. Those who want too much lose all.",
]

PROVERBS = [
    "A stitch in time saves nine.", "All that glitters is not gold.", "Better late than never.",
    "Birds of a feather flock together.", "Look before you leap.", "Many hands make light work.",
    "Practice makes perfect.", "Rome was not built in a day.", "Still waters run deep.",
    "The early bird catches the worm.", "Too many cooks spoil the broth.", "When the cat is away, the mice will play.",
    "Where there is a will, there is a way.", "Every cloud has a silver lining.", "Honesty is the best policy.",
    "An apple a day keeps the doctor away.", "A friend in need is a friend indeed.", "Actions speak louder than words.",
    "Do not count your chickens before they are hatched.", "Make hay while the sun shines.",
    "Strike while the iron is hot.", "No smoke without fire.", "Two heads are better than one.",
    "You cannot have your cake and eat it.", "Curiosity killed the cat.", "Haste makes waste.",
    "Out of sight, out of mind.", "Time and tide wait for no man.", "Waste not, want not.", "All is well that ends well.",
]
