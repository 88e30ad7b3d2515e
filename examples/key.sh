# Sourced by each run.sh: which key signs, and which program fetches the document that the clients are generated from.
# A key of your own: BRIDGE32_KEY_ID and BRIDGE32_SECRET (in base64, as in keys.toml). Otherwise it is the demo's.
dist=$PWD/../../dist
if [ -z "${BRIDGE32_SECRET:-}" ]; then
    BRIDGE32_KEY_ID=demo
    BRIDGE32_SECRET=$(sed -n 's/^secret = "\(.*\)"/\1/p' "$dist/keys.toml")
fi
export BRIDGE32_KEY_ID BRIDGE32_SECRET
BRIDGE32=${BRIDGE32:-$dist/bridge32}
