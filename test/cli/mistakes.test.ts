import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { checkContent, run } from './command.js'

const FOLDER = 'test/config/file/bad'

t.test('a broken file is refused, with each mistake in a line of its own', async (t) => {
  const names = readdirSync(FOLDER)
  t.ok(names.length > 40)
  for (const name of names) {
    const path = `${FOLDER}/${name}`
    const expected = Array.from(readFileSync(path, 'utf8').matchAll(/^# => (.+)$/gm), ([, message]) => `${path}:${message}\n`).join('')
    t.strictSame(await run(['check', path]), { status: 1, stdout: '', stderr: expected }, name)
  }
})

t.test('a file that cannot be read is refused in a sentence', async (t) => {
  t.strictSame(await run(['check', 'missing.toml']), { status: 1, stdout: '', stderr: `missing.toml: does not exist in ${process.cwd()}\n` })
  t.strictSame(await run(['check', 'test']), { status: 1, stdout: '', stderr: 'test: is a directory, not a file\n' })
  t.strictSame(JSON.parse((await run(['check', 'missing.toml', '--json'])).stdout).mistakes, [
    { place: 'missing.toml', message: `does not exist in ${process.cwd()}`, code: 'FST_SLUICE_UNREADABLE_FILE' }
  ])
})

t.test('--json tells the same, and nothing else is printed', async (t) => {
  const { status, stdout, stderr } = await run(['check', `${FOLDER}/many-mistakes.toml`, '--json'])
  t.strictSame([status, stderr], [1, ''])
  const { mistakes, ...rest } = JSON.parse(stdout)
  t.strictSame(rest, { ok: false, warnings: [], policies: [] })
  t.equal(mistakes.length, 6)
  t.strictSame(mistakes[1], {
    place: `${FOLDER}/many-mistakes.toml:9:1`, message: 'max: expected an integer from 0 to 4294967295, got -1', code: 'FST_SLUICE_BAD_OPTION'
  })
})

t.test('what only shows when policies are made is told of each policy, with its place', async (t) => {
  const { status, stdout, stderr } = await checkContent(t, `cost = 5000
refundOn = ["2xx", "9xx"]

[exempt]
routes = ["/ok", "nowhere", "/a//b"]

[health]
allow = ["loopback", "everyone"]

[penalty]
cooldown = "2h"
maxCooldown = "1h"

[[rules]]
name = "not-a-pattern"
match = "reports"
max = 4294967295
timeWindow = "52 weeks"
cost = 1

[[rules]]
name = "no-burst"
match = "/no-burst"
algorithm = "sliding-window"
burst = 5

[[rules]]
name = "no-throttle"
match = "/no-throttle"
algorithm = "fixed-window"
max = 5
timeWindow = "1 minute"
cost = 6
throttle = {}
tiers.gold = { max = 4, timeWindow = "1 minute" }
`)
  t.strictSame([status, stdout], [1, ''])
  t.strictSame(stderr.split('\n'), [
    'rate-limit.toml:1:1: cost: expected at most 1000, the capacity of the limit "default", got 5000',
    'rate-limit.toml:2:20: refundOn[1]: expected a status from 200 to 599 or a class of them such as "2xx", got "9xx"',
    'rate-limit.toml:5:18: exempt.routes[1]: expected a pattern such as "/api/*/reports" (a pattern begins with "/"), got "nowhere"',
    'rate-limit.toml:5:29: exempt.routes[2]: expected a pattern such as "/api/*/reports" (a segment is empty), got "/a//b"',
    'rate-limit.toml:8:22: health.allow[1]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got "everyone"',
    'rate-limit.toml:12:1: penalty.maxCooldown: is shorter than the first cooldown',
    'rate-limit.toml:16:1: rules[0].match: expected a pattern such as "/api/*/reports" (a pattern begins with "/"), got "reports"',
    'rate-limit.toml:17:1: rules[0].max: expected a rate that can be counted exactly (below 2^53 steps: a smaller or rounder number), got 4294967295 per 31449600000 ms',
    'rate-limit.toml:25:1: rules[1].burst: belongs to a token bucket, and this limit is a sliding-window',
    'rate-limit.toml:33:1: rules[2].cost: expected at most 5, the capacity of the limit "default", got 6',
    'rate-limit.toml:34:1: rules[2].throttle: needs token buckets, and the limit "default" is a fixed-window; or set throttle: false',
    ''
  ])
})

t.test('a lease that would be held for too long is a mistake where it stands', async (t) => {
  const { stderr } = await checkContent(t, `leases.hold = "1 minute"
[[rules]]
name = "api"
match = "/api/*"
limits = [{ name = "hourly", max = 1000, timeWindow = "1 hour", leases = { hold = "39ms" } }]
`)
  t.strictSame(stderr.split('\n'), [
    'rate-limit.toml:1:8: leases.hold: expected a duration from 40 milliseconds to 10 seconds, got "1 minute"',
    'rate-limit.toml:5:76: rules[0].limits[0].leases.hold: expected a duration from 40 milliseconds to 10 seconds, got "39ms"',
    ''
  ])
})

t.test('a default policy that cannot be made does not hide what is wrong with rules, nor make them wrong', async (t) => {
  const { stderr } = await checkContent(t, `algorithm = "fixed-window"
max = 5000
burst = 5
timeWindow = "1 minute"

[[rules]]
name = "good"
match = "/good"
cost = 4000

[[rules]]
name = "bad"
match = "/bad"
algorithm = "sliding-window"
burst = 5
`)
  t.strictSame(stderr.split('\n'), [
    'rate-limit.toml:3:1: burst: belongs to a token bucket, and this limit is a fixed-window',
    'rate-limit.toml:15:1: rules[1].burst: belongs to a token bucket, and this limit is a sliding-window',
    ''
  ])
})

t.test('what a rule switches off is not held against it', async (t) => {
  const { status } = await checkContent(t, `throttle = {}
cost = 10

[[rules]]
name = "windowed"
match = "/windowed"
algorithm = "fixed-window"
max = 5
timeWindow = "1 minute"
throttle = false
cost = 1
`)
  t.equal(status, 0)
})

t.test('every rule that is at odds with those of its group is told', async (t) => {
  const rule = (name: string, max: number): string => `[[rules]]\nname = "${name}"\nmatch = "/${name}"\ngroupId = "g"\nmax = ${max}\n`
  const { status, stderr } = await checkContent(t, rule('a', 1) + rule('b', 2) + rule('c', 1) + rule('d', 3))
  t.equal(status, 1)
  t.strictSame(stderr.split('\n').map((line) => line.split(', so')[0]), [
    'rate-limit.toml:6:3: rules[1]: group:g has the limits "default" 1 per 60000 ms (token-bucket) already',
    'rate-limit.toml:16:3: rules[3]: group:g has the limits "default" 1 per 60000 ms (token-bucket) already',
    ''
  ])
})

t.test('a limit of several cannot be changed by a rule\'s max alone', async (t) => {
  const { status, stderr } = await checkContent(t, `limits = [{ name = "a", max = 1, timeWindow = 1000 }, { name = "b", max = 5, timeWindow = 5000 }]
[[rules]]
name = "login"
match = "/login"
max = 5
`)
  t.equal(status, 1)
  t.match(stderr, /^rate-limit\.toml:5:1: rules\[0\]\.max: cannot change one of the 2 inherited limits/)
})
