// Words that are hard for a reader whose first language is another, or that make a person of a piece of code.
import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { root } from './snippets.js'

/** Each word, with what to write instead. A space also stands for the end of a line and the mark of a comment. */
const WORDS: ReadonlyMap<string, string> = new Map([
  ...['tell', 'tells', 'told'].map((word): [string, string] => [word, 'report, state, name, log, show']),
  ...['he', 'him', 'his', 'himself'].map((word): [string, string] => [word, 'the client, the user, it, they']),
  ...['whoever', 'whom'].map((word): [string, string] => [word, 'a client that, the user that']),
  ...['nobody', 'somebody', 'everybody'].map((word): [string, string] => [word, 'no client, a user, every client']),
  ...['is none', 'are none'].map((phrase): [string, string] => [phrase, 'there is no, is not a, null']),
  ['anew', 'again'],
  ['of the day', 'current'],
  ['for want of', 'without, because there is no'],
  ['in the midst', 'during'],
  ['all the same', 'still, also'],
  ['hears of', 'receives, is called for'],
  ['whose word counts', 'trusted']
])

interface Exception {
  readonly path: string
  readonly word: string
  readonly reason: string
}

/** A word may stand in one file for a reason of its own. One that is not needed any more fails the test. */
const EXCEPTIONS: readonly Exception[] = []

interface Hit {
  readonly path: string
  readonly line: number
  readonly word: string
}

const GAP = String.raw`(?:\s|\*|//|--|>)+`
const PATTERN = new RegExp(`(?<![\\w$-])(?:${[...WORDS.keys()].map((word) => word.replaceAll(' ', GAP)).join('|')})(?![\\w$-])`, 'gi')

/** Every such word of a text. Identifiers count too: they follow the same rule. */
function findWords (path: string, text: string): Hit[] {
  return Array.from(text.matchAll(PATTERN), ({ 0: found, index }) => ({
    path,
    line: text.slice(0, index).split('\n').length,
    word: found.toLowerCase().replace(new RegExp(GAP, 'g'), ' ')
  }))
}

function isException ({ path, word }: Hit): boolean {
  return EXCEPTIONS.some((exception) => exception.path === path && exception.word === word)
}

function listPaths (): string[] {
  const lib = readdirSync(new URL('lib', root), { recursive: true, encoding: 'utf8' }).filter((path) => /\.(?:ts|lua)$/.test(path))
  const docs = readdirSync(new URL('docs', root)).filter((path) => path.endsWith('.md'))
  return ['README.md', ...docs.map((path) => `docs/${path}`), ...lib.map((path) => `lib/${path}`)]
}

const hits = listPaths().flatMap((path) => findWords(path, readFileSync(new URL(path, root), 'utf8')))

t.test('no comment, message or page has a word of the list', async (t) => {
  const found = hits.filter((hit) => !isException(hit))
  t.strictSame(found.map(({ path, line, word }) => `${path}:${line} "${word}", write: ${WORDS.get(word)}`), [])
})

t.test('every exception is needed', async (t) => {
  for (const { path, word, reason } of EXCEPTIONS) {
    t.ok(hits.some((hit) => hit.path === path && hit.word === word), `${path} "${word}"`)
    t.ok(reason.length > 0)
  }
})

t.test('a word of the list is found', async (t) => {
  const rows: ReadonlyArray<readonly [text: string, hits: ReadonlyArray<readonly [line: number, word: string]>, why: string]> = [
    ['/** Tells who is asking. */', [[1, 'tells']], 'in a comment, in capitals too'],
    ["throw new Error('a client that nobody knows')", [[1, 'nobody']], 'in a message'],
    ['const told = 1', [[1, 'told']], 'an identifier'],
    ['A client and his limit.\n\nHe waits.', [[1, 'his'], [3, 'he']], 'two in one page, with their lines'],
    [' * The options of the\n * day.', [[1, 'of the day']], 'across the lines of a comment'],
    ['-- for want\n-- of a key', [[1, 'for want of']], 'across the lines of a Lua comment'],
    ['the text is none', [[1, 'is none']], 'a phrase'],
    ['FST_SLUICE_WARN_TIER_OF_NOBODY and `toldAt`', [], 'not a part of a longer name'],
    ['This, then, the, hers, history, storyteller', [], 'not a part of a word']
  ]
  for (const [text, expected, why] of rows) {
    t.strictSame(findWords('a.md', text), expected.map(([line, word]) => ({ path: 'a.md', line, word })), why)
  }
})
