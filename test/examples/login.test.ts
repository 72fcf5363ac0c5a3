import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('only failures are counted, who goes on is blocked, and nothing is checked while Redis is away', async (t) => {
  const { text, exit, findCells } = await runExample(t, 'login')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [login: string, answers: string, checked: string, why: string]> = [
    ['ada, right password', '12 welcome', '12', 'a success costs nothing'],
    ['ada, guesses', '5 wrong, 2 refused, 2 blocked', '5', 'the third refusal begins the block'],
    ['ada, another spelling', '2 blocked', '0', 'it is the same account'],
    ['bob, right password', '3 welcome', '3', 'others of that address have room'],
    ['ada, after the reset', '3 welcome', '3', 'it lifts the block too'],
    ['bob, Redis is away', '3 unavailable', '0', 'failureMode is closed']
  ]
  for (const [login, answers, checked, why] of rows) t.strictSame(findCells(login).slice(1, 3), [answers, checked], `${login}: ${why}`)
  t.match(text, /^ada, right password +1 +1 blocked +0 /m, 'the right password does not help while ada is blocked')
})
