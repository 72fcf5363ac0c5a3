import type { Redis } from 'ioredis'
import { createCommand } from './evalsha-command.js'
import { isFailedSelect } from './failure-code.js'

/**
 * Call `onFailure` whenever Redis refuses the database of a client, until the returned function is called. ioredis would go
 * on in database 0, and two applications would share their budgets there.
 */
export function watchDatabase (client: Redis, onFailure: (error: Error) => void): () => void {
  const onError = (error: Error) => { if (isFailedSelect(error)) onFailure(error) }
  client.on('error', onError)
  // A client of the application may have failed before. Its state does not show that: select the same database again.
  const database = client.status === 'ready' ? client.condition?.select ?? 0 : 0
  if (database > 0) Promise.resolve(client.sendCommand(createCommand(client, 'select', [String(database)]))).catch(onError)
  return () => { client.off('error', onError) }
}
