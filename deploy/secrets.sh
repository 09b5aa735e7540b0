#!/bin/sh
# Makes what only this installation knows, once: run at each start, it leaves what is there. $1: the folder; $2: who reads the files.
set -eu
cd "$1"
umask 077
random() { head -c "$1" /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

[ -s ready ] && exit 0
# Of a start that was cut off.
rm -f postgres-password coordinator.env store.env
password=$(random 32)
id=GK$(random 16)
secret=$(random 32)
printf '%s' "$password" > postgres-password
cat > coordinator.env <<END
DATABASE_URL=postgres://tessera:$password@postgres:5432/tessera
S3_ACCESS_KEY_ID=$id
S3_SECRET_ACCESS_KEY=$secret
END
cat > store.env <<END
GARAGE_RPC_SECRET=$(random 32)
GARAGE_DEFAULT_ACCESS_KEY=$id
GARAGE_DEFAULT_SECRET_KEY=$secret
GARAGE_DEFAULT_BUCKET=tessera
END
chown "$2" coordinator.env store.env
# Last: killed before, it begins anew, and nobody has used what it made.
echo made > ready
