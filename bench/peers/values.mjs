// What both drivers are told.

/** As many as the server has. */
export const CONNECTIONS = 8

// Times and days stay text: a Date would lose the microseconds and has to be written out again.
export const day = text => text
export const moment = text => text.replace(' ', 'T').replace('+00', 'Z')
