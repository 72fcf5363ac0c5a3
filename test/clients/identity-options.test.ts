import t from 'tap'
import { Type } from '@sinclair/typebox'
import { checkOptions } from '../../lib/config/schema/check.js'
import { checkIdentityOptions, ExemptSchema, IdentifySchema, TrustedProxiesSchema, type IdentityOptions } from '../../lib/config/schema/identity-schema.js'

// As the options of the plugin will hold them.
const Schema = Type.Object({
  identify: Type.Optional(IdentifySchema), trustedProxies: Type.Optional(TrustedProxiesSchema), exempt: Type.Optional(ExemptSchema)
}, { additionalProperties: false })

function check (options: object): void {
  checkOptions(Schema, options, 'rateLimit')
  checkIdentityOptions(options, 'rateLimit')
}

const networks = 'an address or a CIDR such as "10.0.0.0/8", "loopback"'
const rows: ReadonlyArray<readonly [options: object, message: string]> = [
  [{ identify: true }, 'rateLimit.identify: expected an object: { jwt?, custom?, defaultTier?, deadline?, maxFailures? }, got true'],
  [{ identify: { jwt: 'yes' } }, 'rateLimit.identify.jwt: expected true, false, or an object: { userClaim?, tierClaim?, anchorClaim?, namespace?, method? }, got "yes"'],
  [{ identify: { jwt: { claim: 'sub' } } }, 'rateLimit.identify.jwt.claim: unknown option'],
  [{ identify: { jwt: { userClaim: '' } } }, 'rateLimit.identify.jwt.userClaim: expected the name of a claim, 1 to 256 characters, got ""'],
  [{ identify: { custom: 'fn' } }, 'rateLimit.identify.custom: expected a function, got "fn"'],
  [{ identify: { defaultTier: '' } }, 'rateLimit.identify.defaultTier: expected a name of letters, digits, ".", "_" and "-", at most 64, got ""'],
  [{ identify: { deadlin: 5 } }, 'rateLimit.identify.deadlin: unknown option, did you mean "deadline"?'],
  [{ identify: { deadline: '10 parsecs' } }, 'rateLimit.identify.deadline: expected a duration such as "10s" or a number of milliseconds, at most a minute, got "10 parsecs"'],
  [{ identify: { deadline: '2 minutes' } }, 'rateLimit.identify.deadline: expected a duration such as "10s" or a number of milliseconds, at most a minute, got "2 minutes"'],
  [{ identify: { deadline: 0 } }, 'rateLimit.identify.deadline: expected a duration such as "10s" or a number of milliseconds, at most a minute, got 0'],
  [{ identify: { maxFailures: 0 } }, 'rateLimit.identify.maxFailures: expected an integer from 1 to 1000000, got 0'],
  [{ trustedProxies: 'loopback' }, 'rateLimit.trustedProxies: expected an array of addresses, CIDRs, "loopback", "private" and "unix", got "loopback"'],
  [{ trustedProxies: ['loopback', '10.0.0.0/33'] }, `rateLimit.trustedProxies[1]: expected ${networks}, "private" or "unix", got "10.0.0.0/33"`],
  [{ trustedProxies: ['unix', 'all'] }, `rateLimit.trustedProxies[1]: expected ${networks}, "private" or "unix", got "all"`],
  [{ exempt: { ips: ['127.0.0.1', 'unix'] } }, `rateLimit.exempt.ips[1]: expected ${networks} or "private", got "unix"`],
  [{ exempt: { ip: [] } }, 'rateLimit.exempt.ip: unknown option, did you mean "ips"?'],
  [{ exempt: { users: 'me' } }, 'rateLimit.exempt.users: expected an array of user ids, got "me"'],
  [{ exempt: { when: true } }, 'rateLimit.exempt.when: expected a function, got true']
]
for (const [options, message] of rows) {
  t.test(`${JSON.stringify(options)} is refused with its place`, async (t) => {
    t.throws(() => check(options), { message })
  })
}

t.test('all that is offered is taken', async (t) => {
  const custom = () => null
  const options: IdentityOptions[] = [
    {},
    { identify: { jwt: true }, trustedProxies: [], exempt: {} },
    { identify: { jwt: false, custom } },
    { identify: { jwt: { userClaim: 'sub', tierClaim: 'app.plan', namespace: 'api', method: 'verify' }, custom, defaultTier: 'basic', deadline: '500ms', maxFailures: 10 } },
    { trustedProxies: ['loopback', 'private', 'unix', '10.0.0.1', '2001:db8::/32', '::ffff:10.0.0.0/104'] },
    { exempt: { ips: ['loopback', '203.0.113.0/24'], users: ['42'], routes: ['/health'], when: () => true } }
  ]
  for (const one of options) t.doesNotThrow(() => check(one))
})
