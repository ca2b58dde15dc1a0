// node-postgres: a statement that has a name is prepared under it, once on each connection.
import pg from 'pg'
import { CONNECTIONS, day, moment } from './values.mjs'

pg.types.setTypeParser(pg.types.builtins.DATE, day)
pg.types.setTypeParser(pg.types.builtins.TIMESTAMPTZ, moment)

const pool = new pg.Pool({
  connectionString: process.env.DATABASE_URL,
  max: CONNECTIONS,
  idleTimeoutMillis: 0,
  options: '-c jit=off -c timezone=UTC'
})

/** The rows of a statement, which is prepared once on each connection. */
export const run = async (name, text, values) => (await pool.query({ name, text, values })).rows

/** Opens every connection. */
export async function connect () {
  const clients = await Promise.all(Array.from({ length: CONNECTIONS }, () => pool.connect()))
  for (const client of clients) client.release()
}
