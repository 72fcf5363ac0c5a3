import t from 'tap'
import { createNetworks } from '../../../lib/clients/address/networks.js'

const rows: ReadonlyArray<readonly [list: string[], inside: string[], outside: string[]]> = [
  [['10.0.0.0/8'], ['10.0.0.0', '10.255.255.255', '::ffff:10.1.2.3', '::ffff:a01:203'], ['9.255.255.255', '11.0.0.0', '::10.1.2.3', 'fd00::1']],
  [['10.1.2.3/8'], ['10.0.0.0', '10.255.255.255'], ['11.0.0.0']],
  [['203.0.113.9'], ['203.0.113.9', '::ffff:203.0.113.9'], ['203.0.113.8', '203.0.113.10']],
  [['203.0.113.9/32'], ['203.0.113.9'], ['203.0.113.8', '203.0.113.10']],
  [['0.0.0.0/0'], ['0.0.0.0', '255.255.255.255', '::ffff:8.8.8.8'], ['::1', '2001:db8::1']],
  [['::/0'], ['::1', '2001:db8::1'], []],
  [['2001:db8::/32'], ['2001:db8::', '2001:db8:ffff:ffff:ffff:ffff:ffff:ffff', '2001:DB8::1'], ['2001:db7::', '2001:db9::']],
  [['2001:db8::1'], ['2001:db8::1', '2001:db8:0:0:0:0:0:1'], ['2001:db8::2']],
  [['::ffff:10.0.0.0/104'], ['10.1.1.1', '::ffff:10.1.1.1'], ['11.1.1.1']],
  [['loopback'], ['127.0.0.1', '127.255.255.255', '::1', '::ffff:127.0.0.1'], ['128.0.0.1', '126.255.255.255', '::2', '0.0.0.0']],
  [['private'], ['10.0.0.1', '172.16.0.1', '172.31.255.255', '192.168.0.1', '169.254.1.1', 'fc00::1', 'fdff::1', 'fe80::1', 'fe80::1%eth0', 'febf::1'],
    ['172.15.255.255', '172.32.0.0', '192.169.0.0', '100.64.0.1', 'fec0::1', 'fe00::1', '127.0.0.1', '::ffff:8.8.8.8', '8.8.8.8']],
  [['loopback', '192.0.2.0/24'], ['127.0.0.1', '192.0.2.200'], ['192.0.3.0']],
  [[], [], ['127.0.0.1', '::1']]
]

for (const [list, inside, outside] of rows) {
  t.test(`[${list.join(', ')}] holds what it says, in every notation, and nothing else`, async (t) => {
    const networks = createNetworks(list, 'allow')
    for (const address of inside) t.ok(networks.has(address), address)
    for (const address of outside) t.notOk(networks.has(address), address)
  })
}

t.test('what is no address is in no network', async (t) => {
  const everywhere = createNetworks(['0.0.0.0/0', '::/0'], 'allow')
  for (const text of ['', 'unknown', 'localhost', '127.1', '0177.0.0.1', '10.0.0.1 ', '10.0.0.1:80', '[::1]', '10.0.0.0/8', '1.2.3.4.5']) {
    t.notOk(everywhere.has(text), JSON.stringify(text))
  }
})

const wrong = [
  '', ' ', '10.0.0.0/33', '10.0.0.0/-1', '10.0.0.0/', '10.0.0.0/8/8', '10.0.0.0/8.0', '10.0.0.0/1e1', '10.0.0/8', '10.0.0.256', '::/129', ':::/8',
  'localhost', 'Loopback', 'constructor', '__proto__', 'toString', '10.0.0.0/255.0.0.0', '10.0.0.1-10.0.0.9', '*'
]

for (const text of wrong) {
  t.test(`${JSON.stringify(text)} is refused with its place`, async (t) => {
    t.throws(() => createNetworks(['loopback', text], 'rateLimit.health.allow'), {
      code: 'FST_SLUICE_BAD_OPTION',
      message: `rateLimit.health.allow[1]: expected an address or a CIDR such as "10.0.0.0/8", "loopback" or "private", got ${JSON.stringify(text)}`
    })
  })
}
