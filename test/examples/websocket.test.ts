import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('handshakes and messages are limited by themselves, and who goes on is cut off', async (t) => {
  const { exit, findCells } = await runExample(t, 'websocket')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [what: string, seen: string, why: string]> = [
    ['ada opens connections', '3 open, 2 refused with 429', 'a handshake is a request'],
    ['bob opens one', '1 open', 'he has another address'],
    ['ada, first connection', '3 said', 'three of five'],
    ['ada, second connection', '2 said, 1 refused', 'connections share the budget'],
    ['ada goes on', '1 refused, 1 closed with 1008', 'the third refusal begins a block'],
    ['ada, third connection', '1 closed with 1008', 'a block is the client\'s'],
    ['bob', '5 said', 'others have room']
  ]
  for (const [what, seen, why] of rows) t.strictSame(findCells(what), [seen], `${what}: ${why}`)
})
