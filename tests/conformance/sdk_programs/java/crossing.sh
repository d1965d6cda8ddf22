#!/bin/sh
# The JVM reads no AWS_CA_BUNDLE: the authority goes into a trust store. A short run is cheaper without the optimiser.
set -eu
here=$(dirname "$0")
store=$HOME/trust.p12
if [ ! -e "$store" ]; then
  keytool -importcert -noprompt -file "$AWS_CA_BUNDLE" -keystore "$store" -storepass changeit 2>/dev/null
fi
exec java -XX:TieredStopAtLevel=1 -XX:+UseSerialGC \
  -Djavax.net.ssl.trustStore="$store" -Djavax.net.ssl.trustStorePassword=changeit \
  -cp "$here:$here/jars/*" Crossing "$@"
