// PostgreSQL for the Node servers: a pool of eight connections, as the server has, on which each statement is prepared
// once and then run by its name.
import { readFileSync } from 'node:fs'
import pg from 'pg'

const CONNECTIONS = 8
const MOST = 101
const source = readFileSync(new URL('statements.sql', import.meta.url), 'utf8').replace(/^--(?! name).*\n/gm, '')
const texts = new Map(source.split(/^-- name: /m).slice(1).map(part => {
  const end = part.indexOf('\n')
  return [part.slice(0, part.indexOf(' ')), part.slice(end).trim()]
}))
const prepared = new Map()

// Times and days stay text: a Date would lose the microseconds and has to be written out again.
pg.types.setTypeParser(pg.types.builtins.DATE, text => text)
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, text => text.replace(' ', 'T').replace('+00', 'Z'))

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: CONNECTIONS,
  idleTimeoutMillis: 0,
  options: '-c jit=off -c timezone=UTC'
})
let sent = 0

/** The rows of the named statement; `limit` is for those that have one. */
export async function ask (name, values, limit = null) {
  sent += 1
  return (await pool.query({ ...statement(name, limit), values })).rows
}

/** How many statements have been sent. */
export const statementsSent = () => sent

/** Opens every connection. */
export async function connect () {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()))
  for (const client of clients) client.release()
}

function statement (name, limit) {
  const key = limit === null ? name : `${name}_${limit}`
  if (!prepared.has(key)) {
    if (limit !== null && !(Number.isInteger(limit) && limit >= 0 && limit <= MOST)) throw new RangeError('limit is too large')
    prepared.set(key, { name: key, text: texts.get(name).replaceAll('{limit}', limit) })
  }
  return prepared.get(key)
}
