import { buildSchema } from 'graphql'
import t from 'tap'
import { runExample } from '../fixtures/example.js'

// By a URL: examples are JavaScript, and their types are checked where they are.
const { costOf } = await import(new URL('../../examples/graphql/cost.js', import.meta.url).href)

t.test('queries cost what they ask for, and a refused one calls no resolver', async (t) => {
  const { text, exit, findCells } = await runExample(t, 'graphql')
  t.strictSame(exit, [0, null])
  t.strictSame(findCells('{ hello }'), ['200', '1', '499', '1'])
  t.strictSame(findCells('query ($n: Int = 30) { authors(first: $n) { name } }'), ['200', '30', '397', '1'], 'GET has no budget of its own')
  t.strictSame(findCells('{ authors(first: 100) { books(first: 100) { title } } }'), ['429', '0', '287', '0'])
  t.strictSame(findCells('{ authors(first: 20) { books(first: 19) { title } } }'), ['429', '0', '287', '0'])
  t.match(text, /429: .*send a smaller request/)
  t.match(text, /429: .*Retry in /)
})

const schema = buildSchema(`
  type Author { name: String!, books(first: Int): [Book!]! }
  type Book { title: String!, author: Author! }
  type Query { hello: String!, authors(first: Int): [Author!]! }
`)
const doubling = Array.from({ length: 20 }, (_, n) => `fragment F${n} on Author { a: books { author { ...F${n + 1} } } b: books { author { ...F${n + 1} } } }`).join(' ')

const hostile: ReadonlyArray<readonly [query: string, variables: Record<string, unknown>, cost: number, why: string]> = [
  ['{', {}, 1, 'it is no query'],
  ['{ nothing { at { all } } }', {}, 2, 'what the schema does not know is refused later'],
  [`{ authors { ...F0 } } ${doubling} fragment F20 on Author { name }`, {}, 1_000_000, 'fragments that double are gone through once'],
  ['{ authors { ...A } } fragment A on Author { books { author { ...A } } }', {}, 210, 'a fragment that spreads itself ends'],
  [`{ authors(first: ${'9'.repeat(400)}) { books(first: 0) { title } } }`, {}, 1_000_000, 'a length beyond all numbers'],
  ['query A($n: Int = 100) { authors(first: $n) { name } } query B($n: Int = 0) { authors(first: $n) { name } }', {}, 200, 'the other operation\'s default'],
  ['query ($n: Int = 100) { authors(first: $n) { name } }', { n: null }, 10, 'null is not said'],
  ['{ a: authors { name } b: authors { name } ... on Query { c: authors { name } } }', {}, 30, 'aliases and inline fragments']
]
for (const [query, variables, cost, why] of hostile) {
  t.test(`a query costs ${cost}: ${why}`, async (t) => {
    t.equal(costOf(schema, query, variables), cost)
  })
}
