import t from 'tap'
import type { RateLimitOptions } from '../../../lib/index.js'
import { bareApp } from '../../fixtures/app.js'

const networks = 'an address or a CIDR such as "10.0.0.0/8", "loopback"'
const token = 'true, false, or an object: { userClaim?, tierClaim?, anchorClaim?, namespace?, method? }'
const upToAMinute = 'a duration such as "10s" or a number of milliseconds, at most a minute'
const aName = 'a name of letters, digits, ".", "_" and "-", at most 64'

/** Options, and what is said of them after "rateLimit". */
const wrong: ReadonlyArray<readonly [options: unknown, message: string]> = [
  [{ identify: 'jwt' }, '.identify: expected an object: { jwt?, custom?, defaultTier?, deadline?, maxFailures? }, got "jwt"'],
  [{ identify: { jwt: 'yes' } }, `.identify.jwt: expected ${token}, got "yes"`],
  [{ identify: { jwt: { claim: 'sub' } } }, '.identify.jwt.claim: unknown option'],
  [{ identify: { custom: 'header' } }, '.identify.custom: expected a function, got "header"'],
  [{ identify: { defaultTier: 'very special' } }, `.identify.defaultTier: expected ${aName}, got "very special"`],
  [{ identify: { deadline: 'soon' } }, `.identify.deadline: expected ${upToAMinute}, got "soon"`],
  [{ identify: { deadline: '61s' } }, `.identify.deadline: expected ${upToAMinute}, got "61s"`],
  [{ identify: { maxFailures: 0 } }, '.identify.maxFailures: expected an integer from 1 to 1000000, got 0'],
  [{ identify: { maxFailures: 1.5 } }, '.identify.maxFailures: expected an integer from 1 to 1000000, got 1.5'],
  [{ identify: { customs: () => null } }, '.identify.customs: unknown option, did you mean "custom"?'],
  [{ trustedProxies: true }, '.trustedProxies: expected an array of addresses, CIDRs, "loopback", "private" and "unix", got true'],
  [{ trustedProxies: 1 }, '.trustedProxies: expected an array of addresses, CIDRs, "loopback", "private" and "unix", got 1'],
  [{ trustedProxies: ['10.0.0.0/33'] }, `.trustedProxies[0]: expected ${networks}, "private" or "unix", got "10.0.0.0/33"`],
  [{ trustedProxies: ['loopback', 'proxy.local'] }, `.trustedProxies[1]: expected ${networks}, "private" or "unix", got "proxy.local"`],
  [{ exempt: ['127.0.0.1'] }, '.exempt: expected an object: { ips?, users?, routes?, when? }, got an array of 1'],
  [{ exempt: { ips: '127.0.0.1' } }, '.exempt.ips: expected an array of addresses, CIDRs, "loopback" and "private", got "127.0.0.1"'],
  [{ exempt: { ips: ['10.0.0.1', '10.0.0'] } }, `.exempt.ips[1]: expected ${networks} or "private", got "10.0.0"`],
  [{ exempt: { ips: ['2001:db8::/129'] } }, `.exempt.ips[0]: expected ${networks} or "private", got "2001:db8::/129"`],
  [{ exempt: { ips: [10] } }, `.exempt.ips[0]: expected ${networks} or "private", got 10`],
  [{ exempt: { users: [42] } }, '.exempt.users[0]: expected the id of a user, as text, got 42'],
  [{ exempt: { users: 'me' } }, '.exempt.users: expected an array of user ids, got "me"'],
  [{ exempt: { routes: '/health' } }, '.exempt.routes: expected an array of route patterns, got "/health"'],
  [{ exempt: { when: true } }, '.exempt.when: expected a function, got true'],
  [{ exempt: { user: ['me'] } }, '.exempt.user: unknown option, did you mean "users"?']
]

for (const [options, message] of wrong) {
  t.test(`register refuses ${message.slice(1)}`, async (t) => {
    const { app, plugin } = bareApp(t)
    const error = await app.register(plugin, options as RateLimitOptions).then(() => null, (error) => error)
    t.match(error?.code, /^FST_SLUICE_(?:BAD|UNKNOWN)_OPTION$/)
    t.equal(error?.message, `rateLimit${message}`)
  })
}

t.test('register names the place of an exempt route that is no pattern', async (t) => {
  const { app, plugin } = bareApp(t)
  await t.rejects(async () => { await app.register(plugin, { exempt: { routes: ['/ok', 'health'] } }) }, {
    code: 'FST_SLUICE_BAD_OPTION', message: /^rateLimit\.exempt\.routes\[1\]: expected a pattern such as .*, got "health"$/
  })
})
