import { createHmac } from 'node:crypto'
import t from 'tap'
import type { Client } from '../../../lib/model/client.js'
import { createKeyClient, createUserClient } from '../../../lib/clients/partition.js'
import { createClientLabeler } from '../../../lib/observability/refusal-log/client-label.js'
import { HyperLogLog } from '../../../lib/observability/refusal-log/hyperloglog.js'
import { createIpClient } from '../../fixtures/refusal-log.js'

const secret = 'a secret of the whole fleet'
const plain = createClientLabeler({ hashClients: false, hashSecret: secret })
const hashed = createClientLabeler({ hashClients: true, hashSecret: secret })
const apiKey = 'sk_live_51Hx'

/** Clients, and how lines name them. */
const named: ReadonlyArray<readonly [client: Client, name: string | RegExp, why: string]> = [
  [createIpClient('203.0.113.9'), 'ip:203.0.113.9', 'an address'],
  [createIpClient('2001:db8:0:ab00::/56'), 'ip:2001:db8:0:ab00::/56', 'a subnet'],
  [createIpClient('unknown'), 'ip:unknown', 'a client without an address'],
  [createUserClient('42', 'standard'), 'user:42', 'a user'],
  [createUserClient('jürgen@例え.jp', 'standard'), 'user:jürgen@例え.jp', 'letters of every script'],
  [createUserClient('a\nb\tc\u001b[31m', 'standard'), 'user:a\\u{a}b\\u{9}c\\u{1b}[31m', 'no line of a user\'s own making'],
  [createUserClient('a\u202eb\u2028c\u200b', 'standard'), 'user:a\\u{202e}b\\u{2028}c\\u{200b}', 'nothing that turns or hides text'],
  [createUserClient('\ud800', 'standard'), 'user:\\u{d800}', 'half a character'],
  [createUserClient('x'.repeat(128), 'standard'), `user:${'x'.repeat(128)}`, 'the longest id that is spelt out'],
  [createUserClient('x'.repeat(129), 'standard'), /^user#[\w-]{43}$/, 'a longer id is hashed'],
  [createUserClient('x'.repeat(100_000), 'standard'), /^user#[\w-]{43}$/, 'however long'],
  [createKeyClient(apiKey), /^key#[0-9a-f]{16}$/, 'a key may be the very secret that the client sends']
]

for (const [client, name, why] of named) {
  t.test(`a line names a client readably, and safely: ${why}`, async (t) => {
    if (typeof name === 'string') t.equal(plain(client), name)
    else t.match(plain(client), name)
    t.match(hashed(client), new RegExp(`^${client.kind}#[0-9a-f]{16}$`))
  })
}

t.test('a name is bounded', async (t) => {
  const name = plain(createUserClient('\u{e0001}'.repeat(64), 'standard'))
  t.equal(name.length, 256)
  t.match(name, /\.\.\.$/)
})

t.test('a hash is the HMAC-SHA-256 of the name, so that who has the secret can look for a client', async (t) => {
  const expected = createHmac('sha256', secret).update('user:42').digest('hex').slice(0, 16)
  t.equal(hashed(createUserClient('42', 'standard')), `user#${expected}`)
  t.equal(plain(createKeyClient(apiKey)), `key#${createHmac('sha256', secret).update(`key:${apiKey}`).digest('hex').slice(0, 16)}`)
})

t.test('hashes tell clients apart', async (t) => {
  const names = [createUserClient('42', 'standard'), createUserClient('43', 'standard'), createKeyClient('42'), createIpClient('42'), createUserClient('x'.repeat(200), 'a'), createUserClient('x'.repeat(201), 'a')].map(hashed)
  t.equal(new Set(names.map((name) => name.split('#')[1])).size, names.length)
})

t.test('without a secret each process has its own hashes, and keeps them', async (t) => {
  const [one, other] = [1, 2].map(() => createClientLabeler({ hashClients: true, hashSecret: null }))
  const client = createIpClient('203.0.113.9')
  t.equal(one(client), one(client))
  t.not(one(client), other(client))
})

t.test('about how many clients there were is known within a tenth', async (t) => {
  for (const seed of [1, 2, 3, 4_000_000_000]) {
    const count = new HyperLogLog(seed)
    t.equal(count.estimate, 0)
    for (const [from, to] of [[0, 1], [1, 10], [10, 1000], [1000, 5000], [5000, 20_000], [20_000, 200_000]]) {
      for (let i = from; i < to; i++) count.add(`10.${i >>> 16}.${i >>> 8 & 255}.${i & 255}`)
      for (let i = 0; i < from; i += 7) count.add(`10.${i >>> 16}.${i >>> 8 & 255}.${i & 255}`)
      t.ok(Math.abs(count.estimate - to) <= Math.max(0.1 * to, 0), `${count.estimate} for ${to}`)
    }
    count.clear()
    t.equal(count.estimate, 0)
  }
})
