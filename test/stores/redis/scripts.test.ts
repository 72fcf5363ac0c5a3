// Of which files a script is composed, and in which order.
import { createHash } from 'node:crypto'
import t from 'tap'
import { luaFiles } from '../../../lib/stores/redis/lua-files.js'
import { loadPlainScript, loadScript } from '../../../lib/stores/redis/scripts.js'

t.test('the fast path of take comes before the files that it does not need', async (t) => {
  const { lua } = loadScript('take')
  const positions = ['lease', 'take-token-buckets', 'token-bucket', 'call', 'take'].map((file) => lua.indexOf(luaFiles[file]))
  t.strictSame(positions, positions.toSorted((a, b) => a - b))
  t.equal(positions[0], 0)
})

t.test('no other script has it', async (t) => {
  for (const name of ['adjust', 'reset', 'report-slots']) {
    const { lua } = loadScript(name)
    t.notOk(lua.includes(luaFiles['take-token-buckets']), name)
    t.ok(lua.endsWith(luaFiles[name]), name)
  }
})

t.test('a script that needs no shared file is its file', async (t) => {
  const { lua, sha } = loadPlainScript('write-switch')
  t.equal(lua, luaFiles['write-switch'])
  t.equal(sha, createHash('sha1').update(lua).digest('hex'))
})
