import t from 'tap'
import { parseReplyCode, toFailureCode } from '../../../lib/stores/redis/failure-code.js'

function replyError (message: string, name?: string): Error {
  return Object.assign(new Error(message), { name: 'ReplyError', command: { name } })
}

const cases: ReadonlyArray<readonly [why: string, error: unknown, code: string]> = [
  ['the first word of a reply', replyError('NOAUTH Authentication required.'), 'NOAUTH'],
  ['a full server', replyError('ERR max number of clients reached'), 'MAXCLIENTS'],
  ['a server that is not a Cluster', replyError('ERR This instance has cluster support disabled'), 'CLUSTER_DISABLED'],
  ['another error of Redis', replyError('ERR unknown command'), 'ERR'],
  ['a reply without a code', replyError('something'), 'ERR'],
  ['a database that does not exist', replyError('ERR DB index is out of range', 'select'), 'SELECT'],
  ['a right to select', replyError('NOPERM this user has no permissions', 'select'), 'NOPERM'],
  ['an error of the system', Object.assign(new Error('connect'), { code: 'ECONNREFUSED' }), 'ECONNREFUSED'],
  ['the last node of a Cluster', Object.assign(new Error('Failed to refresh'), { lastNodeError: replyError('WRONGPASS no') }), 'WRONGPASS'],
  ['a Cluster without nodes', Object.assign(new Error('Failed to refresh'), { lastNodeError: null }), 'CONNECTION'],
  ['a timeout of the client', new Error('Command timed out'), 'DEADLINE'],
  ['a silent socket', new Error('Socket timeout. Expecting data, but didn\'t receive any in 500ms.'), 'DEADLINE'],
  ['redirections without end', new Error('Too many Cluster redirections. Last error: ReplyError: TRYAGAIN Multiple keys'), 'TRYAGAIN'],
  ['any other error', new Error('Connection is closed.'), 'CONNECTION'],
  ['a thrown value', 'text', 'CONNECTION']
]

for (const [why, error, code] of cases) t.equal(toFailureCode(error), code, why)

t.equal(parseReplyCode('OOM command not allowed'), 'OOM')
t.equal(parseReplyCode(''), 'ERR')
