import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import t from 'tap'

t.test('only failures are counted, who goes on is blocked, and nothing is checked while Redis is away', async (t) => {
  const example = spawn(process.execPath, ['examples/login/index.js'], { stdio: ['ignore', 'pipe', 'inherit'] })
  const exit = once(example, 'exit')
  const text = (await example.stdout.setEncoding('utf8').toArray()).join('')
  t.strictSame(await exit, [0, null])

  const rows: ReadonlyArray<readonly [login: string, answers: string, checked: string, why: string]> = [
    ['ada, right password', '12 welcome', '12', 'a success costs nothing'],
    ['ada, guesses', '5 wrong, 2 refused, 2 blocked', '5', 'the third refusal begins the block'],
    ['ada, another spelling', '2 blocked', '0', 'it is the same account'],
    ['bob, right password', '3 welcome', '3', 'others of that address have room'],
    ['ada, after the reset', '3 welcome', '3', 'it lifts the block too'],
    ['bob, Redis is away', '3 unavailable', '0', 'failureMode is closed']
  ]
  const shown = text.split('\n').map((line) => line.split(/ {3,}/))
  for (const [login, answers, checked, why] of rows) {
    const [, , ...cells] = shown.find(([first]) => first === login) ?? []
    t.strictSame(cells.slice(0, 2), [answers, checked], `${login}: ${why}`)
  }
  const locked = shown.filter(([first]) => first === 'ada, right password').at(-1)
  t.strictSame(locked?.slice(2, 4), ['1 blocked', '0'], 'the right password does not help while ada is blocked')
})

t.test('the demo builds first', async (t) => {
  const script = execFileSync('npm', ['pkg', 'get', 'scripts.demo:login'], { encoding: 'utf8' })
  t.equal(JSON.parse(script), 'npm run build && node examples/login/index.js')
})
