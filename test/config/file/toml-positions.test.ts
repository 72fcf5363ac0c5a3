import t from 'tap'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import type { ConfigPath } from '../../../lib/config/schema/option-path.js'
import { createPositionFinder } from '../../../lib/config/file/toml-positions.js'
import { assertProperty } from '../../fixtures/property.js'
import { writeToml } from '../../fixtures/toml-writer.js'

/** Text with a "^" line below whatever is looked for, and its path. */
const rows: ReadonlyArray<readonly [why: string, path: ConfigPath, text: string]> = [
  ['a key', ['b'], `
a = 1
b = 2
^`],
  ['a key behind spaces', ['b'], `
  b = 2
  ^`],
  ['a key below a header', ['tiers', 'premium', 'max'], `
max = 1
[tiers.standard]
max = 2
[tiers.premium]
max = 3
^`],
  ['a header', ['tiers', 'premium'], `
[ tiers . premium ] # max = 1
          ^`],
  ['a table that only longer headers name', ['tiers'], `
[tiers.premium]
 ^
[tiers.standard]`],
  ['a table that is written after its inner one', ['tiers'], `
[tiers.premium]
[tiers]
 ^`],
  ['an element of an array of tables', ['rules', 1, 'max'], `
[[rules]]
max = 1
[[rules]]
max = 2
^
[[rules]]
max = 3`],
  ['the header of an element', ['rules', 1], `
[[rules]]
[[ rules ]]
   ^`],
  ['a table in the last element', ['rules', 1, 'penalty', 'strikes'], `
[[rules]]
[rules.penalty]
strikes = 1
[[rules]]
[rules.penalty]
strikes = 2
^`],
  ['an array of tables in the last element', ['rules', 0, 'limits', 1], `
[[rules]]
[[rules.limits]]
[[rules.limits]]
        ^
[[rules]]
[[rules.limits]]`],
  ['a dotted key', ['penalty', 'factor'], `
penalty.strikes = 1
penalty . factor = 2
          ^`],
  ['a table that dotted keys make', ['penalty'], `
penalty.strikes = 1
^
penalty.factor = 2`],
  ['a key in quotes', ['tiers', 'a.b'], `
tiers."a.b" = false
      ^`],
  ['a key with escapes', ['tiers', 'é"#'], `
tiers."\\u00e9\\"#" = false
      ^`],
  ['a key in single quotes', ['a\\"'], `
'a\\"' = 1
^`],
  ['a key of an inline table', ['penalty', 'factor'], `
penalty = { strikes = 1, factor = 2 }
                         ^`],
  ['a key of inline tables in an array over lines', ['limits', 1, 'max'], `
limits = [ # ] max
  { name = "a", max = 1 }, # { max = 3 }
  # { name = "no", max = 3 },
  { name = "b", max = 2 },
                ^
]`],
  ['an element of an array', ['refundOn', 2], `
refundOn = [ "]", '"', 304 ]
                       ^`],
  ['a key behind a text of several lines', ['max'], `
name = """
max = 1 \\"""
[rules]"""""
max = 2
^`],
  ['a key behind a literal text of several lines', ['max'], `
name = '''
max = 1 \\''
[rules]'''''
max = 2
^`],
  ['a key behind an empty text of several lines', ['max'], `
name = """"""
max = 2
^`],
  ['a key behind a date with a space', ['max'], `
a = { b = 1979-05-27 07:32:00, c = [07:32:00, -inf] }
max = 2
^`],
  ['a missing key: the table around it', ['rules', 0, 'match'], `
max = 1
[[rules]]
  ^
name = "a"`],
  ['a missing key of nothing: the file', ['max'], `
^`],
  ['a tier that is called like an index', ['tiers', 1, 'max'], `
[tiers.1]
max = 1
^`]
]

for (const [why, path, picture] of rows) {
  t.test(`the place is found of ${why}`, async (t) => {
    const lines = picture.slice(1).split('\n')
    const below = lines.findIndex((line) => /^ *\^$/.test(line))
    const text = lines.filter((_, index) => index !== below)
    parse(text.join('\n'))
    const place = { line: Math.max(below, 1), column: lines[below].length }
    t.strictSame(createPositionFinder(text.join('\n'))(path), place)
    t.strictSame(createPositionFinder(text.join('\r\n'))(path), place, 'with lines that end in CR and LF')
  })
}

t.test('the place of every key and element is found, whichever way TOML spells it', async () => {
  const documents = fc.tuple(fc.nat(), fc.integer({ min: 1, max: 40 }))
  assertProperty(documents, 1500, ([seed, size]) => {
    const { text, positions } = writeToml(seed, size)
    const document: unknown = parse(text)
    const find = createPositionFinder(text)
    for (const { path, line, column } of positions) {
      has(document, path)
      const found = find(path)
      if (found.line !== line || found.column !== column) throw new Error(`${JSON.stringify(path)}: expected ${line}:${column}, found ${found.line}:${found.column}\n${text}`)
    }
  })
})

/** Throws where a document has no value at a path: then the writer has not written what it says. */
function has (document: unknown, path: ConfigPath): void {
  path.reduce<unknown>((value, step) => {
    if (typeof value === 'object' && value !== null && Object.hasOwn(value, step)) return Object.getOwnPropertyDescriptor(value, step)?.value
    throw new Error(`nothing at ${JSON.stringify(path)}`)
  }, document)
}

t.test('no text keeps the search going for ever', async () => {
  const pieces = fc.array(fc.constantFrom('[', ']', '{', '}', '"', "'", '"""', "'''", '=', '.', ',', '#', '\n', '\\', 'a', '1', ' '), { maxLength: 30 })
  assertProperty(pieces, 3000, (pieces) => {
    createPositionFinder(pieces.join(''))(['a', 0, 'a'])
  })
})
