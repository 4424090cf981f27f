/** Where things are unless an option says otherwise. */

export const http = { host: "127.0.0.1", port: 4280 } as const
/** Where a node takes connections of other nodes: this computer only, until it is told more. */
export const listen = "/ip4/127.0.0.1/tcp/4281"
/** Of a private network, in the working directory. */
export const networkKeyFile = "network.key"
/** Of a node, in the working directory. */
export const dataDir = "p2p-mes-data"
/** Of a user, in the working directory. */
export const keyFile = "p2p-mes.key"
export const nodeUrl = `http://${http.host}:${http.port}`
/** A write waits this long for its commit, so that what is printed as sent survives a kill of the node. */
export const waitSeconds = 5
export const pageLimit = 50
