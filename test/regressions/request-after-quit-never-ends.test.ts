// After `redis.quit()` a call waited for a connection that nothing opened. Where nothing else kept the process, an `inject`
// of a test never ended.
import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import t from 'tap'
import { shareRedis } from '../fixtures/redis-server.js'

const CHILD = fileURLToPath(new URL('../fixtures/quit-service.js', import.meta.url))

type Plugin = 'compat' | 'native'
type Moment = 'after quit' | 'after disconnect' | 'waiting'

const rows: ReadonlyArray<readonly [plugin: Plugin, moment: Moment, options: object, statuses: readonly number[]]> = [
  ['compat', 'after quit', {}, [200, 200]],
  ['compat', 'after quit', { max: 1 }, [200, 429]],
  ['compat', 'after quit', { max: 1, skipOnError: true }, [200, 200]],
  ['compat', 'after quit', { max: 1, skipOnError: false }, [503, 503]],
  ['compat', 'after disconnect', { max: 1 }, [200, 429]],
  ['compat', 'waiting', { max: 1 }, [200, 429]],
  ['native', 'after quit', { max: 1 }, [200, 429]],
  ['native', 'after quit', { failureMode: 'closed' }, [503, 503]],
  ['native', 'waiting', { failureMode: 'open' }, [200, 200]]
]

t.test('requests after a client was closed are answered by the failure rule', async (t) => {
  for (const [plugin, moment, options, statuses] of rows) {
    const { url } = await shareRedis()
    const { stdout } = await promisify(execFile)(process.execPath, [CHILD, url, plugin, moment, JSON.stringify(options)])
      .catch(({ stdout, code }) => ({ stdout: `${stdout} and exit code ${code}` }))
    t.equal(stdout, JSON.stringify(statuses), `${plugin}, ${moment}, ${JSON.stringify(options)}`)
  }
})
