import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('webhooks beyond the rate are held, up to the bounds of the queue, and every signed one is handled once', async (t) => {
  const { exit, findCells } = await runExample(t, 'webhook')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [burst: string, sent: number, taken: number, handled: number, why: string]> = [
    ['a few events', 4, 4, 4, 'the burst has room'],
    ['more than it may', 12, 12, 12, 'ten may wait'],
    ['more than can wait', 25, 15, 25, 'five at once, and ten of a shop that wait'],
    ['three shops at once', 45, 35, 45, 'five at once of each, and twenty of all that wait'],
    ['forged ones', 10, 0, 0, 'no signature, no place in the line']
  ]
  for (const [burst, sent, taken, handled, why] of rows) {
    const [shownSent, atOnce, held, refused, shownHandled] = findCells(burst).map(Number)
    t.equal(shownSent, sent, burst)
    // More on a slow machine: units come while the events do.
    t.ok(atOnce + held >= taken, `${burst}: ${why}`)
    t.equal(atOnce + held + refused, burst === 'forged ones' ? 0 : sent)
    t.equal(shownHandled, handled)
  }
})
