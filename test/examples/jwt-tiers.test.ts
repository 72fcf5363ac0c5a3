import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('a verified plan decides the limit, and who forges one counts by the address', async (t) => {
  const { exit, findCells } = await runExample(t, 'jwt-tiers')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [caller: string, sent: number, least: number, account: number, why: string]> = [
    ['without a token', 8, 5, 401, 'the tier anonymous'],
    ['with a forged token', 8, 0, 401, 'it counts by the address, and that is used up'],
    ['with an expired token', 8, 0, 401, 'so does one of yesterday'],
    ['ada, no plan', 25, 20, 200, 'the default tier'],
    ['bob, plan premium', 30, 30, 200, 'the tier premium'],
    ['bob, another token', 15, 10, 200, 'the budget is the user\'s'],
    ['cron, plan internal', 60, 60, 200, 'false is unlimited']
  ]
  for (const [caller, sent, least, account, why] of rows) {
    const [, shownSent, allowed, refused, shownAccount] = findCells(caller).map(Number)
    t.equal(shownSent, sent, caller)
    t.ok(allowed >= least, `${caller}: ${why}`) // on a slow machine a bucket gains units meanwhile
    t.equal(allowed + refused, sent)
    t.equal(shownAccount, account, `${caller}: the application answers as ever`)
  }
})
