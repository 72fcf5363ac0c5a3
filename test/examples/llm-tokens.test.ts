import t from 'tap'
import { runExample } from '../fixtures/example.js'

t.test('the most is reserved, what was used is charged, and both budgets refuse what they have no room for', async (t) => {
  const { text, exit } = await runExample(t, 'llm-tokens')
  t.strictSame(exit, [0, null])

  const rows: ReadonlyArray<readonly [user: string, request: string, reserved: string, refused: string, used: number | null, why: string]> = [
    ['ada', 'a short answer', '12225', '0', 125, 'what was not used is given back'],
    ['ada', 'thinks longer', '2327', '0', 2551, 'what was used beyond it is charged'],
    ['ada', 'leaves early', '13075', '0', null, 'what was written until then'],
    ['ada', 'the model fails', '626', '0', 86, 'what was written until then'],
    ['bob', 'thinks longer', '12327', '0', 12551, 'a budget of its own'],
    ['eve', 'a short answer', '12225', '1 by \'together\'', 0, 'the others have used up that of all']
  ]
  const shown = text.split('\n').map((line) => line.split(/ {3,}/))
  for (const [user, request, reserved, refused, used, why] of rows) {
    const [, , ...cells] = shown.find(([first, second]) => first === user && second === request) ?? []
    t.strictSame([cells[0], cells[2]], [reserved, refused], `${user}, ${request}`)
    if (used === null) t.ok(Number(cells[3]) > 895 && Number(cells[3]) < 3695, `${cells[3]} used: ${why}`)
    else t.equal(Number(cells[3]), used, why)
  }
  const [, , , answered, , used] = shown.find(([, request]) => request === 'five at once') ?? []
  t.ok(Number(answered) >= 3, 'those that the budget has room for at once')
  t.equal(Number(used), Number(answered) * 545, 'the refused ones cost nothing')
})
