import t from 'tap'
import { parseStatuses } from '../../lib/policies/status-set.js'

/** The statuses in a set; all that a response can have were asked for, and some that none has. */
function statusesIn (...entries: unknown[]): number[] {
  const parsed = parseStatuses(entries)
  if ('invalidIndex' in parsed) throw new Error(`refused entry ${parsed.invalidIndex}`)
  return [-1, 0, NaN, 2.5, ...Array.from({ length: 1000 }, (_, status) => status)].filter((status) => parsed.has(status))
}

const hundred = (first: number) => Array.from({ length: 100 }, (_, i) => first + i)

t.test('a status is in the set by itself, as a number or as text', async (t) => {
  t.strictSame(statusesIn(304), [304])
  t.strictSame(statusesIn('401'), [401])
  t.strictSame(statusesIn(200, 599), [200, 599])
})

t.test('a class is all hundred of its statuses, in either spelling', async (t) => {
  for (const digit of [2, 3, 4, 5]) t.strictSame(statusesIn(`${digit}xx`), hundred(digit * 100))
  t.strictSame(statusesIn('4XX'), hundred(400))
})

t.test('entries add up, and may overlap', async (t) => {
  t.strictSame(statusesIn('2xx', 304, 204, '2xx'), [...hundred(200), 304])
})

t.test('an empty list is an empty set, which switches off what was inherited', async (t) => {
  t.strictSame(statusesIn(), [])
  t.match(parseStatuses([]), { isEmpty: true })
  t.match(parseStatuses([304]), { isEmpty: false })
})

const wrong: ReadonlyArray<readonly [value: unknown, why: string]> = [
  [199, 'the status of no final response'],
  ['1xx', 'a class of them'],
  [600, 'above every status that Fastify sends'],
  [200.5, 'no whole number'],
  [NaN, 'no number'],
  ['0xx', 'no class begins with 0'],
  ['6xx', 'nor with 6'],
  ['2x', 'not a whole class'],
  ['20x', 'a class has hundred statuses, not ten'],
  ['2xxx', 'one x too many'],
  [' 200', 'a space'],
  ['0200', 'four digits'],
  ['2e2', 'a number, but not written as a status'],
  ['099', 'below every status, as text'],
  ['success', 'a word'],
  ['', 'nothing'],
  [null, 'nothing either'],
  [undefined, 'a hole'],
  [['2xx'], 'a list that reads like a class'],
  [true, 'no status']
]

t.test('anything else is refused with its place', async (t) => {
  for (const [value, why] of wrong) {
    t.strictSame(parseStatuses(['2xx', value, 700]), { invalidIndex: 1, expected: 'a status from 200 to 599 or a class of them such as "2xx"', value }, why)
  }
})
