//! The phrases behind the features, by what they show; see `Words::find` for how they are written.

use std::sync::LazyLock;

use super::super::phrases::Table;

/// Openings of a question that chat often leaves without its mark: (phrase at the head of a sentence, weight).
pub(super) static QUESTION_HEADS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "^does|did|do|has|have|is|are|would|could|can|will anyone|anybody|someone|somebody|any1",
            1.3,
        ),
        (
            "^anyone|anybody|any1 know|knows|have|has|had|got|seen|tried|using|used|use|aware|able|else|willing|want|interested|familiar|around|here|up|from|in|on|with|experiencing|getting|working|care|remember|think|recommend|ever|been",
            1.2,
        ),
        (
            "^any idea|ideas|thoughts|suggestions|hints|tips|clue|clues|pointers|advice|reason|chance|objections|opinions|news|update|progress|feedback|comments",
            1.2,
        ),
        ("^is|are there ?any|a|some *", 1.0),
        (
            "^how do|does|can|could|would|should|did|to|is|are|much|many|long *",
            1.0,
        ),
        (
            "^what is|are|does|do|did|would|should|was|were|about|if|kind|version|happens|happened *",
            0.9,
        ),
        ("^what's|whats *", 0.9),
        (
            "^why is|are|does|do|did|would|doesn't|don't|isn't|can't|not *",
            0.8,
        ),
        ("^where is|are|can|do|does|did|would|should *", 1.0),
        (
            "^when is|are|will|do|does|did|should|can do|you|we|i|it|this|that|the",
            1.0,
        ),
        ("^which|who is|are|one|of|should|has|can|would|does *", 0.8),
        (
            "^do|did|does|have|are|were|will|would|could|can you|u|ya|y'all|we|they|it|i *",
            1.0,
        ),
        ("^can|could|should|may i|we|it|this|that|the|one *", 0.9),
        ("^is|are|was|were it|this|that|these|those|the *", 0.8),
        ("^anything|anywhere else|like|i *", 0.8),
        ("^thoughts|opinions|ideas $", 1.2),
    ])
});

/// Requests and indirect questions anywhere in a sentence: (phrase, weight).
pub(super) static REQUESTS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        (
            "can|could|would|will|cud|pls|please you|u|ya ?please|pls|plz|also|maybe|perhaps|kindly|possibly *",
            1.2,
        ),
        (
            "can|could|would|will|does|do anyone|anybody|someone|somebody|any1 *",
            1.3,
        ),
        (
            "anyone|anybody know|knows|seen|tried|aware|able|willing|interested|familiar|around|here|help",
            1.1,
        ),
        ("someone|somebody please|pls|help|should|needs", 0.9),
        (
            "help|advice|feedback|input|pointers|suggestions|comments|thoughts|tips .. appreciated|welcome|welcomed",
            1.2,
        ),
        ("would you mind *", 1.3),
        ("please|pls|plz ?also|do|just|don't|always|try|to *", 1.1),
        ("let|lemme me|us know", 1.1),
        ("tell|show|explain|send|give ?to me|us *", 0.6),
        (
            "i'd|i would|we'd|we would ?really|greatly|also|much appreciate|love ?it|to ?if|your|some|any|feedback|hear|know|help|comments|a",
            1.1,
        ),
        (
            "i'd|i would|we'd|we would be ?very|most grateful|thankful|obliged if|for *",
            1.2,
        ),
        (
            "i|we ?really|would|also|could|do ?really need|want|require help|your|someone|somebody|advice|assistance|you",
            0.9,
        ),
        (
            "any|some ?kind ?of help|advice|feedback|input|pointers|suggestions|comments|ideas|thoughts|hints ?is|are|would|much|greatly|very ?be ?greatly|much|very appreciated|welcome|welcomed",
            1.3,
        ),
        (
            "help|advice|feedback|input|pointers|suggestions|comments|reviews|thoughts ?is|are|would|much|greatly|very ?be ?greatly|much|very appreciated|welcome",
            1.2,
        ),
        (
            "need|needing|want|wanted ?some|any|your help|hints|advice|assistance|input",
            0.9,
        ),
        (
            "i'm|im|am|was|i've|been ?still|just|also|really|been|left|just wondering if|whether|why|how|what|where|who|about|when|is|does|can",
            1.1,
        ),
        (
            "i|just|still|also|really wonder|wondered why|how|what|where|who|when|is",
            1.0,
        ),
        ("wonder|wonders|wondered if|whether|about", 0.85),
        ("just|still|but wondering *", 0.9),
        (
            "i'm|im|am|was ?just|also|mainly|really curious ?to ?know|about|if|how|why|whether|what|as|where|for",
            1.0,
        ),
        (
            "curious|wondering|wondered if|whether|how|why|what|to|about",
            1.0,
        ),
        (
            "i'd|i would like|love|want|be ?interested|curious|keen ?in|to know|hear|hearing|understand|learn|see ?if|whether|how|what|why|your|from",
            1.0,
        ),
        (
            "i|we|i'm|we're|am|are ?am|are ?also|still|very|particularly|always|most interested in hearing|knowing|your|any|feedback|comments|opinions|reports|learning|seeing|build|thoughts|what|how",
            1.0,
        ),
        ("i|we ?just|really want|need|wanted|needed to know|ask", 1.0),
        (
            "i|we ?just|really want|need|wanted|needed to check|understand|make",
            0.8,
        ),
        (
            "the|my|one|another|other|next|real|first question|problem is how|what|why|whether|if|where|which|when|who",
            0.9,
        ),
        (
            "the|my|next question is how|what|why|whether|if|where|which|when|who",
            1.0,
        ),
        ("question|questions for|about|regarding|:", 0.7),
        (
            "have|had|got a|one|another|some|few|quick|dumb|stupid|noob|newbie|beginner ?few|quick|dumb|stupid|simple|more|small|general question|questions",
            1.0,
        ),
        (
            "^quick|general|newbie|beginner|noob|dumb|stupid|silly question",
            1.0,
        ),
        (
            "looking for ?a|an|some|any|someone|somebody|help|advice|ways|recommendations|suggestions|feedback|pointers",
            0.8,
        ),
        (
            "i|we ?just|still|really can't|cannot|cant|couldn't figure|find|work|get|understand|seem|make ..",
            0.5,
        ),
        (
            "i|we ?just|still|really|also don't|dont|do|didn't ?not|really|quite understand|get|see|know how|why|what|where|if|whether|which",
            0.6,
        ),
        (
            "i'm|im|am ?still|just|also|really|a ?bit|little not|unsure|confused|unclear|stuck ?sure|certain|clear ?about|on|how|why|what|if|whether|where|with",
            0.6,
        ),
        (
            "it|that|this would be|'d ?really|very|also|most ?be nice|great|good|useful|helpful|awesome|cool|interesting|lovely|appreciated if|to you|someone|somebody|anyone|we|have|see|know|hear|get|add|could",
            0.8,
        ),
        ("if you're|you|your are|willing|able|willing|happy to", 1.0),
        (
            "if you|someone|somebody|anyone ?all|else could|can|would|know|knows|got|get *",
            0.7,
        ),
        (
            "if anyone|somebody|someone|anybody ?else has|is|wants|had|have *",
            0.7,
        ),
        (
            "i|we|i'd|we'd ?would|also|therefore|hereby ?would|like|to ?to|like propose|suggest|request ?that|the|to|a|we|adding|removing|changing",
            0.9,
        ),
        (
            "i|we ?would|also ask|request|urge|invite|encourage|beg that|you|for|the|all|everyone|people|a",
            0.7,
        ),
        (
            "proposed|suggested|requested resolution|rule|change|text|wording|fix|solution|action|amendment|replacement|addition|feature",
            0.9,
        ),
        ("proposal|suggestion|request $", 0.5),
        (
            "feature|help|review|pull|comment|feedback request|wanted|needed",
            0.5,
        ),
        ("make|be|double sure to *", 0.7),
        (
            "function|feature|option|method|way|ability|that|this|which|it would|could|should ?really be ?very|really|extremely|quite useful|handy|helpful|nice|great|valuable",
            0.75,
        ),
        (
            "hope you|someone|that ?will|would|can|could consider|include|add|see|agree|fix|support",
            0.9,
        ),
        (
            "remember|remind|reminder|don't|dont|never ?forget to *",
            0.5,
        ),
        (
            "you ?may|might|will|should|could|would|still|also need|have|want|should|must|ought to *",
            0.5,
        ),
        (
            "needs|need ?a|to ?be ?a|some review|reviewing|reviewed|rebase|rebasing|rebased|tests|test|squash|squashed|update|updating|r|approval",
            0.9,
        ),
        (
            "ready|up|waiting ?for|again ?for ?another|a|your ?final review|re-review|feedback|rereview|comments",
            0.9,
        ),
        (
            "take|have|give ?this|it|that ?a|another|one look|peek|glance|read|review|shot|try|go ?at|over",
            0.6,
        ),
        ("^ping *", 1.1),
        ("gentle|friendly ping|reminder", 1.1),
        ("bump $", 0.9),
        ("what|how about *", 0.4),
        ("is it|this possible|safe|ok|okay|feasible to *", 0.7),
        ("is there ?any|a|some|anything|an|maybe|already", 0.6),
        (
            "how do|does|can|could|would|should i|you|we|one|people|it|this",
            0.7,
        ),
        ("what do you|people|folks|we", 0.7),
        // German
        (
            "kann|könnte|kannst|könntest|könnt|können|könnten|würde|würdest|weiß|hat|kennt|mag|möchte jemand|du|ihr|sie|wer|einer",
            1.2,
        ),
        ("weiß|weiss|kennt|hat|kann jemand|wer|einer", 1.2),
        ("bitte ?mal|noch|um|auch *", 0.9),
        (
            "wie|wo|warum|wieso|was|wer|wann kann|macht|bekomme|geht|ist|mache|muss|soll|könnte|können|funktioniert ich|man|das|wir|es|ihr|du|der|die",
            0.8,
        ),
        // Spanish
        (
            "alguien|alguno|puedes|podrías|podrias|puede|podría|podéis|pueden sabe|saben|puede|podría|conoce|tiene|ha|ayudar|ayudarme|decirme|revisar|mirar|pasar|*",
            1.0,
        ),
        ("por favor *", 0.9),
        // Portuguese
        (
            "alguém|alguem|pode|poderia|podes|podia|você|voce|vocês sabe|pode|poderia|conhece|tem|já|conseguiu|me|dar|ver|rever|revisar|ajudar|mandar",
            1.0,
        ),
        // French
        (
            "quelqu'un|peux|peut|pourrais|pourriez|pouvez|peux-tu|pourrais-tu|pouvez-vous|pourriez-vous sait|peut|pourrait|a|connaît|connait|me|nous|regarder|*",
            0.9,
        ),
        ("s'il te|vous plaît|plait", 1.0),
        ("est-ce que|qu'il|qu'on|quelqu'un|tu|vous", 0.9),
    ])
});

/// Phrases in which the words of a request ask for nothing: (phrase, weight taken away).
pub(super) static COURTESIES: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        ("as you|they|we|i|he|she please", 1.2),
        (
            "question|problem|point is|was|are|isn't ?not whether|that|not",
            0.6,
        ),
        ("correct me if", 0.6),
        (
            "they|he|she|people was|were|are|is|be ?just|also curious|wondering|interested",
            1.0,
        ),
        ("feel free to", 1.0),
        (
            "let me|us know if|when|should ?you|there|anything|it|that|this|i ?have|need|run|want|is|can|has|helps|works|help ?any|some|anything|more|further|questions|problems|out",
            0.55,
        ),
        ("anything else i|we can|could", 0.6),
        (
            "happy|glad|willing to help|assist|review|answer|discuss|do",
            0.8,
        ),
        (
            "if|incase|case anyone|anybody|someone ?else wants|is|has|needs",
            0.3,
        ),
        ("incase|case *", 0.5),
        (
            "what|that's|as|where|things i ?was|am|'m ?just wondering|curious|looking|asking",
            0.6,
        ),
        ("was just curious|wondering when|because|since", 0.5),
        ("ping|tell|ask|remind me|you if|when|for|about|once|in", 0.5),
        (
            "if you have|need|want|got any|more|further|other|help ?more|further|other questions|question|help|problems|information|details|issues",
            0.8,
        ),
        ("don't|do|not ?not hesitate to", 1.0),
        (
            "please|pls ?also note|find|see|refer|accept|excuse|forgive|ignore|disregard|bear|feel|hate",
            0.5,
        ),
        (
            "please don't|dont hate|mind|worry|shoot|laugh|judge|send",
            0.6,
        ),
        ("please be advised|aware|patient|kind|gentle", 0.6),
        ("please do ?not|n't reply", 1.2),
        (
            "could|can|would you|u imagine|believe|say|argue|use|do|just|always|also|even|probably|still|get",
            0.35,
        ),
        ("as you|u can|could|will|would|might|may|know|see|say", 0.9),
        ("so|then|that you|u can|could", 0.6),
        (
            "where|which|that|what|how|when|because|since|if|whenever|and|or you|u can|could|would|will *",
            0.4,
        ),
        ("you|u can|could|may|might|should|would|will", 0.2),
        ("i'm|im|am ?not sure you|someone|somebody", 0.3),
        ("whether|if or not", 0.1),
        ("thanks|thank|thx ?you for|to", 0.4),
        ("hope|hopefully *", 0.4),
    ])
});

/// Questions that want no answer: (phrase, weight taken away).
pub(super) static RHETORICAL: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        ("who knows|cares", 0.8),
        (
            "^why not|bother|should|would ?anyone|anybody|would|should|you|we|*",
            0.15,
        ),
        ("what's|whats the point|harm|fuss", 0.4),
        ("what could possibly", 0.8),
        ("how hard|difficult can|could|is", 0.7),
        (
            "isn't|ain't it|that|this|he ?just|so|great|nice|cool|funny|awesome|lovely|ironic|amazing",
            0.3,
        ),
        (
            "why would|should|on ?on ?earth anyone|anybody|somebody|someone|earth",
            0.4,
        ),
        ("who would|wants|needs|doesn't ?have|want|need", 0.4),
        (
            "^really|seriously|huh|wat|what|eh|oh|wow|lol|haha|ha|no|yes|yeah|ok|and $",
            0.5,
        ),
        ("^you know what|something $", 0.6),
        ("guess what|who", 0.8),
        ("am i right|wrong $", 0.2),
        ("right $", 0.1),
        ("remember when|that|the", 0.3),
    ])
});

/// Offers of the author's own work: (phrase at the head, weight taken away).
pub(super) static OFFERS: LazyLock<Table> = LazyLock::new(|| {
    Table::new(&[
        ("want|wanna me to", 0.9),
        ("do|would you ?still want|like|prefer|need me|us to", 0.2),
        ("do|would you want|like|need ?some|any|a help|hand", 0.7),
        ("shall|may|can i help", 0.9),
        ("can|could|may i help|assist ?you|someone|anyone", 0.9),
        ("need|want ?any|some|a help|hand", 0.8),
        ("how can|may i help|be", 0.9),
    ])
});

/// Heads of a sentence that answers the question right before it.
pub(super) const ANSWER_HEADS: &[&str] = &[
    "^yes|no|nope|yep|yeah|because|nothing|nobody|none|never|simple|simply|easy|obviously|clearly *",
    "^the answer|reason|short ?is|answer",
    "^that's|it's because|due",
    "^answer|a :",
];

/// What takes an ask back.
pub(super) const WITHDRAWALS: &[&str] = &[
    "never mind|mind.",
    "nevermind|nvm|nm",
    "^found it",
    "^solved|fixed ?it",
    "figured|worked it|that out",
    "^got it ?working|now",
    "forget|ignore it|that|me|this",
];

/// Words that say an ask cannot wait.
pub(super) const URGENT: &[&str] = &[
    "urgent|urgently|asap|immediately|dringend|urgente|urgentemente|sofort",
    "as soon as possible",
    "right now|away",
    "by|before eod|tonight|noon|tomorrow|today|monday|tuesday|wednesday|thursday|friday",
    "today $",
    "this morning|afternoon $",
    "blocking|blocks me|us|everyone",
    "production|prod is ?down|broken",
];
