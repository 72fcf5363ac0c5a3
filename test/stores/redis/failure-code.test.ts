import t from 'tap'
import { BAD_REPLY, isBadReply, isFailedSelect, isGenericCode, parseReplyCode, toFailureCode } from '../../../lib/stores/redis/failure-code.js'

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
  ['a timeout in the middle of a text', new Error('No Command timed out'), 'CONNECTION'],
  ['an error with a code that is no text', Object.assign(new Error('any'), { code: 5 }), 'CONNECTION'],
  ['a last reply without a code', new Error('Too many Cluster redirections. Last error: ReplyError: something'), 'ERR'],
  ['a thrown value', 'text', 'CONNECTION']
]

for (const [why, error, code] of cases) t.test(why, async (t) => { t.equal(toFailureCode(error), code) })

t.test('the code of a reply is its first word', async (t) => {
  t.equal(parseReplyCode('OOM command not allowed'), 'OOM')
  t.equal(parseReplyCode(''), 'ERR')
  t.equal(parseReplyCode('no OOM'), 'ERR')
  t.equal(parseReplyCode('X'.repeat(50)), 'X'.repeat(40))
  t.equal(parseReplyCode('X'), 'X')
  t.equal(parseReplyCode('WRONGPASS of a max number of clients'), 'WRONGPASS')
})

t.test('codes that say only that a connection broke', async (t) => {
  const generic = ['CONNECTION', 'ECONNRESET', 'EPIPE', 'ECONNREFUSED', 'OOM', ''].filter(isGenericCode)
  t.strictSame(generic, ['CONNECTION', 'ECONNRESET', 'EPIPE'])
})

t.test('a reply that no call asked for has a code of its own', async (t) => {
  t.strictSame([isBadReply(Object.assign(new Error('any'), { code: BAD_REPLY })), isBadReply(new Error(BAD_REPLY))], [true, false])
})

t.test('only a refusal to select is a failed select', async (t) => {
  t.equal(isFailedSelect(replyError('ERR', 'select')), true)
  t.strictSame([replyError('ERR', 'get'), replyError('ERR'), new Error('ERR'), Object.assign(new Error('ERR'), { command: { name: 'select' } })].map(isFailedSelect),
    [false, false, false, false])
})
