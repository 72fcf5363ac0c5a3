import t from 'tap'
import { OverflowGroups } from '../../../lib/stores/memory/overflow-groups.js'

t.test('the group of a partition', async (t) => {
  const groups = new OverflowGroups(1, 2)
  const rows: ReadonlyArray<readonly [partition: string, name: string]> = [
    ['203.0.113.9', 'ipv4 203.0'], ['1.2.3.4', 'ipv4 1.2'], ['10.200.100.250', 'ipv4 10.200'],
    ['2001:db8::/56', 'ipv6 2001:db8'], ['2001:db8:0:ab00::/56', 'ipv6 2001:db8'], ['2001:db8::1', 'ipv6 2001:db8'],
    ['2001::/56', 'ipv6 2001:0'], ['2001:0:a::/56', 'ipv6 2001:0'], ['::/56', 'ipv6 0:0'], ['::1', 'ipv6 0:0'], ['0:1:a::/56', 'ipv6 0:1'], ['fe80::1', 'ipv6 fe80:0']
  ]
  for (const [partition, name] of rows) t.strictSame(groups.find(partition), { name, widest: name.slice(0, 4) }, partition)
  const names = new Set(Array.from({ length: 20_000 }, (_, i) => groups.find(`key:${i}`).name))
  t.equal(names.size, 1024)
  for (const partition of ['user:42', 'user#abc', 'key:2001:db8::1', 'key:203.0.113.9', '203.0.113.9:80', 'a user', 'global', 'unknown', '', 'a'.repeat(5000)]) {
    const widest = partition.startsWith('user') ? 'user' : 'key'
    const { name, ...group } = groups.find(partition)
    t.match(name, new RegExp(`^${widest} \\d+$`), partition.slice(0, 20))
    t.strictSame(group, { widest })
  }
  const long = '2001:db8::'.padEnd(64, '0')
  t.strictSame([long, `${long}0`].map((partition) => groups.find(partition).widest), ['ipv6', 'key'], 'addresses are short')
})
