import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('limits change with their file, what was used stays used, and a broken file keeps the old ones', async (t) => {
  const { text, exit, findCells } = await runExample(t, 'hot-reload')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [change: string, reload: string, allowed: number, refused: number, left: number, why: string]> = [
    ['none: max = 50', 'taken', 30, 0, 20, 'as the file says to begin with'],
    ['max = 100', 'taken', 30, 0, 40, '30 of 50 used are 30 of 100'],
    ['max = "plenty"', 'refused', 10, 0, 30, 'the 100 hold on'],
    ['max = 40', 'taken', 0, 5, 0, '70 were used'],
    ['a rule: /search, 3', 'taken', 3, 2, 0, 'the rule has buckets of its own']
  ]
  for (const [change, reload, allowed, refused, left, why] of rows) {
    const [shownReload, , , ...numbers] = findCells(change)
    t.equal(shownReload, reload, change)
    t.strictSame(numbers.map(Number), [allowed, refused, left], `${change}: ${why}`)
  }
  t.match(text, /rate-limit\.toml:3:1: max: expected an integer .*, got "plenty"/)
  t.match(text, /saw the limits 50, then 100, then 40; errors: 0/)
})
