import t from 'tap'
import { checkContent, run } from './command.js'

const FILE = `max = 100
timeWindow = "1 minute"
burst = 20

[identify]
jwt = true

[tiers]
internal = false
premium = { max = 5000, timeWindow = "1 minute" }

[[rules]]
name = "login"
match = "/login"
methods = ["POST"]
max = 5
timeWindow = "90s"
algorithm = "sliding-window"
by = "ip"
failureMode = "closed"

[[rules]]
name = "search"
match = "/search/*"
override = true
limits = [
  { name = "burst", max = 20, timeWindow = 1000 },
  { name = "hourly", max = 5000, timeWindow = "1h", by = "user", mode = "shadow" }
]

[[rules]]
name = "maintenance"
match = "/old"
max = 0
timeWindow = "1 day"
by = "global"
mode = "shadow"
`

t.test('a good file is a table of the policies that it makes', async (t) => {
  const { status, stdout, stderr } = await checkContent(t, FILE)
  t.strictSame([status, stderr], [0, ''])
  t.strictSame(stdout.split('\n'), [
    'RULE         METHODS  MATCH                TIER      LIMITS                                         MODE     ON FAILURE',
    '(default)    (any)    (every other route)  (others)  100 per minute, burst 20, per client           enforce  local',
    '(default)    (any)    (every other route)  internal  unlimited                                               local',
    '(default)    (any)    (every other route)  premium   5000 per minute, per client                    enforce  local',
    'login        POST     /login               (any)     5 per 90 seconds, sliding window, per address  enforce  closed',
    'search       (any)    /search/*            (any)     burst: 20 per second, per client               enforce  local',
    '                                                     hourly: 5000 per hour, per user                shadow',
    'maintenance  (any)    /old                 (any)     nothing, for all together                      shadow   local',
    ''
  ])
})

t.test('--json tells the policies by fields that keep their names', async (t) => {
  const { status, stdout, stderr } = await checkContent(t, FILE, '--json')
  t.strictSame([status, stderr], [0, ''])
  const { policies, ...rest } = JSON.parse(stdout)
  t.strictSame(rest, { ok: true, mistakes: [], warnings: [] })
  t.equal(policies.length, 6)
  const [, unlimited, , , { options, ...search }] = policies
  t.strictSame(search, {
    rule: 'search',
    match: '/search/*',
    methods: null,
    override: true,
    tier: null,
    isMadeInCode: false,
    isUnlimited: false,
    limits: [
      { name: 'burst', max: 20, timeWindowMs: 1000, period: null, burst: 20, algorithm: 'token-bucket', by: 'client', mode: 'enforce', unleased: 'off' },
      { name: 'hourly', max: 5000, timeWindowMs: 3_600_000, period: null, burst: 5000, algorithm: 'token-bucket', by: 'user', mode: 'shadow', unleased: 'off' }
    ],
    mode: 'enforce',
    failureMode: 'local'
  })
  t.match(options.find(({ option }: { option: string }) => option === 'limits[1].timeWindow'), {
    value: '1h', from: 'file', place: /^rate-limit\.toml:28:34: rules\[1\]\.limits\[1\]\.timeWindow$/
  })
  t.match(unlimited, { rule: null, match: null, tier: 'internal', isUnlimited: true, limits: [] })
})

t.test('what is leased, and why other limits are not, stands beside them', async (t) => {
  const content = `leases = true
[[rules]]
name = "exact"
match = "/exact"
leases = false
[[rules]]
name = "login"
match = "/login"
max = 5
timeWindow = "1s"
[[rules]]
name = "api"
match = "/api"
limits = [
  { name = "burst", max = 500, timeWindow = "1s" },
  { name = "hourly", max = 5000, timeWindow = "1h", algorithm = "sliding-window" }
]
`
  const { stdout } = await checkContent(t, content)
  t.strictSame(stdout.split('\n').slice(1, -1).map((line) => line.trim().split(/ {2,}/).find((cell) => cell.includes(' per '))), [
    '1000 per minute, per client, leased',
    '1000 per minute, per client',
    '5 per second, per client, not leased (small)',
    'burst: 500 per second, per client, not leased (beside-exact)',
    'hourly: 5000 per hour, sliding window, per client, not leased (sliding-window)'
  ])
  const { policies } = JSON.parse((await checkContent(t, content, '--json')).stdout)
  t.strictSame(policies.map(({ limits }: { limits: Array<{ unleased: unknown }> }) => limits.map(({ unleased }) => unleased)), [
    [null], ['off'], ['small'], ['beside-exact', 'sliding-window']
  ])
})

t.test('a cost of its own stands beside its limit', async (t) => {
  const { stdout } = await checkContent(t, `limits = [
  { name = "requests", max = 60, timeWindow = "1m" },
  { name = "tokens", max = 5000, timeWindow = "1m", cost = 100, onUnsettled = "refund" }
]`)
  t.match(stdout, /requests: 60 per minute, per client {2}.*\n.*tokens: 5000 per minute, per client, cost 100\b/)
})

t.test('--explain tells of each option where it is from', async (t) => {
  const { status, stdout } = await run(['check', 'a.toml', '--env', '--explain'], {
    cwd: t.testdir({ 'a.toml': 'max = 5\n[[rules]]\nname = "login"\nmatch = "/login"\ncost = 2\n' }),
    env: { SLUICE_TIME_WINDOW: '10s', SLUICE_RULES__LOGIN__HOOK: 'preHandler', SLUICE_HEADERS: 'off', SLUICE_REDIS: 'redis://:secret@127.0.0.1' }
  })
  t.equal(status, 0)
  const [, , ofLogin] = stdout.split(/^(?=\S)/m)
  const squeezed = (text: string): string[] => text.trim().split('\n').map((line) => line.trim().replace(/ +/g, ' '))
  t.strictSame(squeezed(ofLogin).slice(0, 4), [
    'login', 'match "/login" file, a.toml:4:1: rules[0].match', 'max 5 file, a.toml:1:1: max', 'timeWindow "10s" environment, SLUICE_TIME_WINDOW'
  ])
  t.ok(squeezed(stdout).includes('headers "off" environment, SLUICE_HEADERS'))
  t.ok(squeezed(stdout).includes('algorithm "token-bucket" built-in'))
  t.notMatch(stdout, 'secret')
})

t.test('a rule without a match is taken for one of the code, and only what is known of it is shown', async (t) => {
  const content = `cost = 7
[[rules]]
name = "code"
max = 5
cost = 5000
throttle = {}
penalty = { maxCooldown = "1s" }
tiers.gold = { burst = 5 }

[[rules]]
name = "whole"
max = 5
timeWindow = "10s"
mode = "shadow"
`
  const { status, stdout, stderr } = await checkContent(t, content)
  t.equal(status, 0)
  t.strictSame(stdout.split('\n').slice(2).map((line) => line.trim().replace(/ {2,}/g, ' | ')), [
    'code | (in code) | (in code) | (others) | max = 5 | (in code) | (in code)',
    'the rest is in code',
    'code | (in code) | (in code) | gold | max = 5 | (in code) | (in code)',
    'burst = 5',
    'the rest is in code',
    'whole | (in code) | (in code) | (any) | max = 5 | shadow | (in code)',
    'timeWindow = "10s"',
    'the rest is in code',
    ''
  ])
  t.match(stderr, 'rate-limit.toml:3:1: warning: rules[0].name: the rule "code" has no match')
  const { policies } = JSON.parse((await checkContent(t, content, '--json')).stdout)
  t.match(policies[1], { rule: 'code', match: null, methods: null, override: null, isMadeInCode: true, isUnlimited: false, limits: [], mode: null, failureMode: null })
  t.strictSame(policies[3].options.map(({ option }: { option: string }) => option), ['max', 'timeWindow', 'mode'])
})

t.test('what is wrong with a rule of the code by itself is a mistake', async (t) => {
  const { status, stderr } = await checkContent(t, '[[rules]]\nname = "code"\nmax = 5\ntimeWindow = 1000\ncost = 6\n')
  t.equal(status, 1)
  t.match(stderr, /^rate-limit\.toml:5:1: rules\[0\]\.cost: expected at most 5/)
})

t.test('without a FILE it is the one of SLUICE_CONFIG, and other variables count with --env only', async (t) => {
  const cwd = t.testdir({ 'a.toml': 'max = 5', 'b.toml': 'max = 6' })
  const env = { SLUICE_CONFIG: 'a.toml', SLUICE_TIME_WINDOW: '10s' }
  t.match(await run(['check'], { cwd, env }), { status: 0, stdout: / 5 per minute, / })
  t.match(await run(['check', 'b.toml'], { cwd, env }), { status: 0, stdout: / 6 per minute, / })
  t.match(await run(['check', '--env'], { cwd, env }), { status: 0, stdout: / 5 per 10 seconds, / })
})

t.test('a mistake of the environment has its variable as the place', async (t) => {
  const cwd = t.testdir({ 'a.toml': '[[rules]]\nname = "login"\nmatch = "/login"\n' })
  const env = { SLUICE_RULES__LOGIN__MAX: '-5', SLUICE_MAXX: '5' }
  const { status, stdout, stderr } = await run(['check', 'a.toml', '--env'], { cwd, env })
  t.strictSame([status, stdout], [1, ''])
  t.strictSame(stderr.split('\n').map((line) => line.split(': ')[0]), ['SLUICE_MAXX', 'SLUICE_RULES__LOGIN__MAX', ''])
  t.match(await run(['check', 'a.toml', '--env'], { cwd, env: { SLUICE_COST: '5000' } }), { status: 1, stderr: /^SLUICE_COST: expected at most 1000/ })
  t.match(await run(['check', 'a.toml', '--env', '--json'], { cwd, env: { SLUICE_COST: '5000' } }), {
    stdout: /"place": "SLUICE_COST",\s+"message": "expected at most 1000/
  })
})

t.test('an empty file is good, and what is switched off is said', async (t) => {
  t.match(await checkContent(t, ''), { status: 0, stdout: /\(default\) .* 1000 per minute, per client/, stderr: '' })
  t.match(await checkContent(t, 'enabled = false'), { status: 0, stdout: /\n\nenabled is false, so no limit applies\.\n$/ })
  t.match(await checkContent(t, 'enforce.percent = 25'), { status: 0, stdout: /per client +enforce 25 % +local/ })
  t.match(await checkContent(t, 'global = false'), { status: 0, stdout: /\(default\) +\(any\) +\(no route\)/ })
})

t.test('no text of a file reaches the terminal as a command', async (t) => {
  const { status, stdout } = await checkContent(t, '[[rules]]\nname = "a"\nmatch = "/\\u001b[31m\\u202ea"\n')
  t.equal(status, 0)
  t.match(stdout, '/\\u{1b}[31m\\u{202e}a ')
})
