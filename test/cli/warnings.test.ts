import t from 'tap'
import { checkFile } from '../../lib/cli/check.js'
import { warnings } from '../../lib/errors.js'
import { checkContent } from './command.js'

type Code = Exclude<keyof typeof warnings, 'trustsEveryProxy' | 'trustsProxyCount' | 'untrustedForwarding' | 'memoryInCluster' | 'undefinedRedis' | 'clientResends' | 'localSlots' | 'defaultPathTaken' | 'lateHook' | 'unknownTier' | 'refusedReload'>

interface Case {
  readonly why: string
  readonly content: string
  /** What is told of the code, without the name of the file. */
  readonly told: readonly string[]
}

const rule = (name: string, match: string, rest = ''): string => `[[rules]]\nname = "${name}"\nmatch = "${match}"\n${rest}\n`
const limit = (max: number, timeWindow: string, rest = ''): string => `max = ${max}\ntimeWindow = "${timeWindow}"\n${rest}\n`

const cases: Readonly<Record<Code, readonly Case[]>> = {
  ruleWithoutMatch: [
    { why: 'a rule without a match', content: '[[rules]]\nname = "login"\nmax = 5', told: ['2:1: rules[0].name: the rule "login" has no match'] },
    { why: 'a rule with one', content: rule('login', '/login'), told: [] }
  ],
  ruleNeverApplies: [
    { why: 'a second rule for the same', content: rule('a', '/x') + rule('b', '/x'), told: ['7:1: rules[1].match: never applies, because every request that it matches is matched by "a" first'] },
    { why: 'a rule that is cut up among others', content: rule('all', '/x/*') + rule('top', '/x') + rule('below', '/x/:y/*'), told: ['3:1: rules[0].match: never applies, because every request that it matches is matched by "below" or "top" first'] },
    { why: 'rules of different methods', content: rule('a', '/x', 'methods = ["GET"]') + rule('b', '/x', 'methods = ["POST"]'), told: [] },
    { why: 'a method that does not exist', content: rule('a', '/x', 'methods = ["FETCH"]'), told: ['4:1: rules[0].methods: never applies, because FETCH cannot be a request\'s method'] },
    { why: 'a method that exists beside one that does not', content: rule('a', '/x', 'methods = ["FETCH", "get"]'), told: [] },
    { why: 'an override, which routes with limits of their own get', content: rule('a', '/x') + rule('b', '/x', 'override = true'), told: [] },
    { why: 'an override under an override', content: rule('a', '/x', 'override = true') + rule('b', '/x', 'override = true'), told: ['7:1: rules[1].match: never applies'] },
    { why: 'a rule under an override', content: rule('a', '/x', 'override = true') + rule('b', '/x'), told: ['7:1: rules[1].match: never applies'] },
    { why: 'rules that the code has made, with matches that nobody knows', content: '[[rules]]\nname = "a"\n[[rules]]\nname = "b"\n' + rule('root', '/'), told: [] }
  ],
  tierWithoutUsers: [
    { why: 'a tier where nobody is identified', content: 'tiers.gold = { max = 5 }', told: ['1:7: tiers.gold: no client has the tier "gold" unless the code identifies users (identify.custom or identify.jwt); neither is set here'] },
    { why: 'tiers of rules, each told once', content: rule('a', '/a', 'tiers.gold = false') + rule('b', '/b', 'tiers = { gold = false, silver = false }'), told: ['4:7: rules[0].tiers.gold', '8:25: rules[1].tiers.silver'] },
    { why: 'tokens that are not read', content: 'tiers.gold = { max = 5 }\nidentify.jwt = false', told: ['1:7: tiers.gold: no client has the tier "gold" unless the code identifies users (identify.custom); identify.jwt is not enabled here'] },
    { why: 'tokens that are read', content: 'tiers.gold = { max = 5 }\nidentify.jwt = true', told: [] },
    { why: 'an identify that completes one in code', content: 'tiers.gold = { max = 5 }\nidentify.defaultTier = "gold"', told: [] },
    { why: 'the tier of whoever is not identified', content: 'tiers.anonymous = { max = 5 }', told: [] }
  ],
  openLogin: [
    ...['login', 'userLogin', 'sign-in', 'signIn', 'oauth2', 'auth', 'password_reset', 'token', 'tokens', 'otp', 'totp', '2fa'].map((name) => ({
      why: `a rule called ${name}`, content: rule(name, '/x', 'failureMode = "open"'), told: ['4:1: rules[0].failureMode: failureMode "open" allows every request while Redis cannot answer']
    })),
    { why: 'a match with a login in it', content: rule('a', '/v1/auth/*', 'failureMode = "open"'), told: ['4:1: rules[0].failureMode'] },
    { why: 'a failure mode that is inherited', content: 'failureMode = "open"\n' + rule('login', '/x'), told: ['3:1: rules[0].name: failureMode "open"'] },
    { why: 'one of the code', content: '[[rules]]\nname = "login"\nfailureMode = "open"', told: ['3:1: rules[0].failureMode'] },
    { why: 'one of the code, which may have its own failure mode', content: 'failureMode = "open"\n[[rules]]\nname = "login"', told: [] },
    { why: 'one with another mode', content: 'failureMode = "open"\n' + rule('login', '/login', 'failureMode = "local"'), told: [] },
    ...['authors', 'tokenize', 'hotpot', 'blog-index', 'plugin', '12fact'].map((name) => ({ why: `a rule called ${name}`, content: rule(name, '/x', 'failureMode = "open"'), told: [] }))
  ],
  longWindowAlone: [
    { why: 'an hour', content: limit(5000, '1 hour'), told: ['2:1: timeWindow: allows 5000 requests at once and then none for up to 1 hour; add a limit with a short timeWindow, or a burst'] },
    { why: 'a day that counts by windows', content: limit(5000, '1 day', 'algorithm = "fixed-window"'), told: ['2:1: timeWindow: allows 5000 requests at once and then none for up to 1 day; add a limit with a short timeWindow'] },
    { why: 'a tier\'s', content: 'identify.jwt = true\n[tiers.gold]\n' + limit(5000, '1 hour'), told: ['4:1: tiers.gold.timeWindow'] },
    { why: 'a day beside an hour', content: 'limits = [{ name = "h", max = 100, timeWindow = "1h" }, { name = "d", max = 500, timeWindow = "1d" }]', told: ['1:36: limits[0].timeWindow', '1:82: limits[1].timeWindow'] },
    { why: 'one beside a short one on trial', content: 'limits = [{ name = "s", max = 5, timeWindow = "1s", mode = "shadow" }, { name = "h", max = 100, timeWindow = "1h" }]', told: ['1:97: limits[1].timeWindow'] },
    { why: 'one that rules inherit, told once', content: limit(5000, '1 hour') + rule('a', '/a') + rule('b', '/b', 'max = 4000'), told: ['2:1: timeWindow: allows 5000', '11:1: rules[1].max: allows 4000'] },
    { why: 'one beside a short one', content: 'limits = [{ name = "s", max = 5, timeWindow = "1s" }, { name = "h", max = 100, timeWindow = "1h" }]', told: [] },
    { why: 'one with a burst', content: limit(5000, '1 hour', 'burst = 50'), told: [] },
    { why: 'so few that all at once do no harm', content: limit(5, '1 hour'), told: [] },
    { why: 'less than an hour', content: limit(5000, '59 minutes'), told: [] }
  ],
  shortWindow: [
    { why: 'milliseconds that were meant for seconds', content: 'max = 5\ntimeWindow = 60', told: ['2:1: timeWindow: is 60 milliseconds, but headers state whole seconds; a number means milliseconds, so write "60s" for seconds'] },
    { why: 'a limit among several', content: 'limits = [{ name = "s", max = 5, timeWindow = "100ms" }]', told: ['1:34: limits[0].timeWindow: is 100 milliseconds'] },
    { why: 'a second', content: limit(5, '1s'), told: [] }
  ],
  burstAboveMax: [
    { why: 'more at once than in a minute', content: limit(10, '1 minute', 'burst = 11'), told: ['3:1: burst: allows 11 requests at once, but max allows 10 per 1 minute'] },
    { why: 'a hundred seconds\' worth at once', content: limit(10, '1s', 'burst = 1000'), told: ['3:1: burst: allows 1000 requests'] },
    { why: 'a bucket that is given its size', content: limit(10, '1s', 'burst = 20'), told: [] },
    { why: 'as many as the window has', content: limit(10, '1 minute', 'burst = 10'), told: [] },
    { why: 'a limit that refuses everything', content: limit(0, '1 minute', 'burst = 10'), told: [] }
  ],
  shortCooldown: [
    { why: 'a block that is over before the window', content: limit(5, '10 minutes', 'algorithm = "sliding-window"\npenalty = { cooldown = "9 minutes" }'), told: ['4:13: penalty.cooldown: the first block lasts 9 minutes, but the limit "default" itself may refuse for up to 10 minutes'] },
    { why: 'a built-in cooldown', content: limit(1, '10 minutes', '[penalty]'), told: ['3:2: penalty: the first block lasts 1 minute, but the limit "default" itself may refuse for up to 10 minutes'] },
    { why: 'a block as long as the window', content: limit(5, '10 minutes', 'algorithm = "fixed-window"\npenalty = { cooldown = "10 minutes" }'), told: [] },
    { why: 'a bucket that has another token in time', content: limit(10, '10 minutes', '[penalty]'), told: [] }
  ],
  shortDelay: [
    { why: 'milliseconds that were meant for seconds', content: limit(10, '1 minute', 'throttle = { maxDelay = 5 }'), told: ['3:14: throttle.maxDelay: holds a request for up to 5 milliseconds, but the limit "default" has one unit in 6 seconds'] },
    { why: 'a built-in delay beside a slow limit', content: limit(1, '1 hour', 'throttle = {}'), told: ['3:1: throttle: holds a request for up to'] },
    { why: 'a delay of a unit', content: limit(10, '1 minute', 'throttle = { maxDelay = "6s" }'), told: [] },
    { why: 'a short delay of a fast limit', content: limit(1000, '1s', 'throttle = { maxDelay = 5 }'), told: [] }
  ],
  trustsEveryAddress: [
    { why: 'every IPv4 address', content: 'trustedProxies = ["loopback", "unix", "0.0.0.0/0"]', told: ['1:39: trustedProxies[2]: matches every address, so clients can forge their address in X-Forwarded-For'] },
    { why: 'every IPv6 address', content: 'trustedProxies = ["::/0"]', told: ['1:19: trustedProxies[0]'] },
    { why: 'networks', content: 'trustedProxies = ["10.0.0.0/8", "private", "unix"]', told: [] }
  ],
  exemptsEveryAddress: [
    { why: 'every IPv4 address', content: 'exempt.ips = ["0.0.0.0/0"]', told: ['1:15: exempt.ips[0]: matches every address, so no client is limited'] },
    { why: 'a network', content: 'exempt.ips = ["10.0.0.0/8"]', told: [] }
  ]
}

for (const [name, list] of Object.entries(cases)) {
  const code = warnings[name as Code]
  for (const { why, content, told } of list) {
    t.test(`${why}: ${told.length === 0 ? 'no ' : ''}${code}`, async (t) => {
      const path = `${t.testdir({ 'a.toml': content })}/a.toml`
      const verdict = checkFile(path, null)
      t.strictSame(verdict.mistakes, [])
      const found = verdict.warnings.filter((warning) => warning.code === code)
        .map(({ place, message }) => `${place.slice(path.length + 1)}: ${message}`)
      t.equal(found.length, told.length, found.join('\n'))
      told.forEach((text, index) => t.ok(found[index]?.startsWith(text), `${found[index]}\n${text}`))
    })
  }
}

t.test('a warning is a line on standard error, and no failure unless --strict', async (t) => {
  const line = 'rate-limit.toml:2:1: warning: timeWindow: is 60 milliseconds, but headers state whole seconds; a number means milliseconds, so write "60s" for seconds (FST_SLUICE_WARN_SHORT_WINDOW)\n'
  const content = 'max = 5\ntimeWindow = 60'
  t.match(await checkContent(t, content), { status: 0, stdout: /5 per 60 milliseconds/, stderr: line })
  t.match(await checkContent(t, content, '--strict'), { status: 1, stdout: /5 per 60 milliseconds/, stderr: line })
  t.match(await checkContent(t, 'max = 5', '--strict'), { status: 0, stderr: '' })
  const { status, stdout, stderr } = await checkContent(t, content, '--json', '--strict')
  t.strictSame([status, stderr], [1, ''])
  t.match(JSON.parse(stdout), {
    ok: false, mistakes: [], warnings: [{ place: 'rate-limit.toml:2:1', message: /^timeWindow: is 60 milliseconds/, code: 'FST_SLUICE_WARN_SHORT_WINDOW' }], policies: [{ rule: null }]
  })
})

t.test('a thousand rules are no trouble', async (t) => {
  const rules = Array.from({ length: 1000 }, (_, index) => rule(`rule-${index}`, `/${'x/'.repeat(index % 60)}*`, 'failureMode = "open"')).join('')
  const { warnings } = checkFile(`${t.testdir({ 'a.toml': rules })}/a.toml`, null)
  t.equal(warnings.length, 940)
})
