import type { FastifyRequest } from 'fastify'
import t, { type Test } from 'tap'
import { Exemptions } from '../../lib/clients/exemptions.js'
import type { ExemptOptions } from '../../lib/config/schema/identity-schema.js'
import { FaultLog } from '../../lib/common/log.js'
import { bareApp } from '../fixtures/app.js'

const request = {} as unknown as FastifyRequest

function exemptionsOf (test: Test, options: ExemptOptions) {
  const { app, clock, log } = bareApp(test)
  return { exemptions: new Exemptions(options, 'rateLimit.exempt', new FaultLog(app.log, clock), 20), log }
}

t.test('an address is exempt by itself, not by the subnet that it is counted in', async (t) => {
  const { exemptions } = exemptionsOf(t, { ips: ['203.0.113.0/24', '2001:db8:0:ab00::1', 'loopback'] })
  for (const address of ['203.0.113.9', '::ffff:203.0.113.9', '2001:db8:0:ab00::1', '2001:db8:0:ab00::1%eth0', '127.0.0.1']) t.ok(exemptions.hasAddress(address), address)
  for (const address of ['203.0.112.9', '2001:db8:0:ab00::2', '2001:db8:0:ab00::/56', 'unknown', '']) t.notOk(exemptions.hasAddress(address), address)
})

t.test('a user is exempt by the very id', async (t) => {
  const { exemptions } = exemptionsOf(t, { users: ['42', 'constructor'] })
  t.ok(exemptions.hasUser('42'))
  t.ok(exemptions.hasUser('constructor'))
  for (const id of ['4', '420', 'user:42', 'toString', '']) t.notOk(exemptions.hasUser(id), id)
  t.notOk(exemptions.hasNoUsers)
})

t.test('nobody is exempt where nothing is said', async (t) => {
  const { exemptions, log } = exemptionsOf(t, {})
  t.notOk(exemptions.hasAddress('127.0.0.1'))
  t.notOk(exemptions.hasUser('42'))
  t.notOk(exemptions.isExemptRequest(request))
  t.ok(exemptions.hasNoUsers)
  t.strictSame(log, [])
})

const answers: ReadonlyArray<readonly [when: () => unknown, isExempt: boolean, message: string | null, why: string]> = [
  [() => true, true, null, 'yes'],
  [() => false, false, null, 'no'],
  [() => { throw new Error('broken') }, false, 'broken', 'a failure'],
  [() => 'yes', false, 'expected exempt.when to return true or false, got string', 'a text'],
  [() => 1, false, 'expected exempt.when to return true or false, got number', 'a number'],
  [() => {}, false, 'expected exempt.when to return true or false, got undefined', 'nothing']
]
for (const [when, isExempt, message, why] of answers) {
  t.test(`exempt.when that answers with ${why} ${isExempt ? 'exempts' : 'does not exempt'}${message === null ? '' : ', and is logged'}`, async (t) => {
    const { exemptions, log } = exemptionsOf(t, { when: when as () => boolean })
    t.equal(exemptions.isExemptRequest(request), isExempt)
    t.equal(exemptions.isExemptRequest(request), isExempt)
    t.strictSame(log.map(({ source, err }) => [source, err?.message]), message === null ? [] : [['exempt', message]])
  })
}

t.test('a wrong address is refused with its place', async (t) => {
  t.throws(() => exemptionsOf(t, { ips: ['127.0.0.1', 'localhost'] }), {
    message: 'rateLimit.exempt.ips[1]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got "localhost"'
  })
})
