import t from 'tap'
import { AddressReader } from '../../lib/clients/address/address-reader.js'
import { createKeyClient, createUserClient } from '../../lib/clients/partition.js'
import { parsePartition } from '../../lib/clients/partition.js'

const addresses = new AddressReader(56)
const long = 'i'.repeat(500)

const rows: ReadonlyArray<readonly [text: string, partition: string, why: string]> = [
  ['ip:203.0.113.9', '203.0.113.9', 'an address'],
  ['ip:::ffff:203.0.113.9', '203.0.113.9', 'a mapped one'],
  ['ip:2001:db8:0:abcd::1', '2001:db8:0:ab00::/56', 'any address of the client'],
  ['ip:unknown', 'unknown', 'whoever has no address'],
  ['user:42', createUserClient('42', 'premium').partition, 'a user of any tier'],
  ['user:a:b', createUserClient('a:b', 'standard').partition, 'a user with a colon'],
  [`user:${long}`, createUserClient(long, 'standard').partition, 'a user with a long id'],
  ['key:abc', createKeyClient('abc').partition, 'a key'],
  [`key:${long}`, createKeyClient(long).partition, 'a long key'],
  ['global', 'global', 'the one for all']
]
for (const [text, partition, why] of rows) {
  t.test(`"${text.slice(0, 40)}" means the partition ${partition.slice(0, 40)} (${why})`, async (t) => {
    t.equal(parsePartition(text, addresses), partition)
  })
}

t.test('any other text is refused', async (t) => {
  for (const text of ['', ':', 'user', 'user:', 'key:', 'ip:', 'ip:garbage', 'User:42', 'user#abc', '203.0.113.9', 'tier:premium', 42, null]) {
    t.throws(() => parsePartition(text, addresses), { code: 'FST_SLUICE_BAD_OPTION', message: /^partition: expected a partition such as "ip:203.0.113.9", "user:42", "key:abc" or "global", got / })
  }
})
