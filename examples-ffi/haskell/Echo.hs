{-# LANGUAGE CApiFFI #-}
{-# LANGUAGE OverloadedStrings #-}

-- | Serves the listen socket on descriptor 0: answers with parameters and the body.
module Main (main) where

import Control.Exception (bracket, catch)
import Control.Monad (unless, void, when)
import qualified Data.ByteString.Char8 as B
import qualified Data.ByteString.Unsafe as B
import Data.Maybe (fromMaybe)
import Foreign hiding (void)
import Foreign.C
import System.IO (hPutStrLn, stderr)

data {-# CTYPE "struct FCGX_Request" #-} Request

-- Functions that wait are safe: other threads of Haskell go on.
foreign import capi "fcgi_request.h value FCGX_SHUT_DOWN" shutDown :: CInt
foreign import capi "fcgi_request.h value FCGX_TAKE_SIGNALS" takeSignals :: CInt
foreign import ccall unsafe "FCGX_ErrorText" errorText :: CInt -> IO CString
foreign import ccall unsafe "FCGX_RequestNew" requestNew :: CInt -> CInt -> IO (Ptr Request)
foreign import ccall unsafe "FCGX_RequestFree" requestFree :: Ptr Request -> IO ()
foreign import ccall safe "FCGX_RequestNext" requestNext :: Ptr Request -> CInt -> IO CInt
foreign import ccall safe "FCGX_RequestEnd" requestEnd :: Ptr Request -> CInt -> IO CInt
foreign import ccall unsafe "FCGX_RequestParamAt" requestParamAt
  :: Ptr Request -> CSize -> Ptr CSize -> Ptr CSize -> IO CString
foreign import ccall safe "FCGX_RequestRead" requestRead :: Ptr Request -> CString -> CSize -> IO CPtrdiff
foreign import ccall safe "FCGX_RequestWrite" requestWrite :: Ptr Request -> CString -> CSize -> IO CPtrdiff
foreign import ccall safe "FCGX_RequestLog" requestLog :: Ptr Request -> CString -> CSize -> IO CPtrdiff

-- | Throws what a negative result means.
check :: Integral n => IO n -> IO Int
check call = do
  result <- fromIntegral <$> call
  when (result < 0) $ errorText (fromIntegral result) >>= peekCString >>= ioError . userError
  pure result

params :: Ptr Request -> IO [(B.ByteString, B.ByteString)]
params r = alloca $ \name -> alloca $ \size -> do
  let from index = do
        entry <- requestParamAt r index name size
        if entry == nullPtr
          then pure []
          else do
            text <- peek size >>= \n -> B.packCStringLen (entry, fromIntegral n)
            (before, after) <- (`B.splitAt` text) . fromIntegral <$> peek name
            ((before, B.drop 1 after) :) <$> from (index + 1)
  from 0

put :: (Ptr Request -> CString -> CSize -> IO CPtrdiff) -> Ptr Request -> B.ByteString -> IO ()
put to r text = B.unsafeUseAsCStringLen text $ \(p, n) -> void . check $ to r p (fromIntegral n)

serve :: Ptr Request -> Ptr CChar -> IO ()
serve r piece = do
  env <- params r
  let value name = fromMaybe "" (lookup name env)
      query = value "QUERY_STRING"
  put requestWrite r $ B.concat
    [ "Content-Type: application/octet-stream\r\nX-Method: ", value "REQUEST_METHOD"
    , "\r\nX-Query: ", query, "\r\nX-Params: ", B.pack (show (length env)), "\r\n"
    , maybe "" (\v -> "X-Value: " <> v <> "\r\n") (lookup query env), "\r\n" ]
  let copy = do
        n <- check $ requestRead r piece 65536
        unless (n == 0) $ check (requestWrite r piece (fromIntegral n)) >> copy
  copy
  put requestLog r "served by Haskell\n"
  void . check $ requestEnd r (if query == "status=7" then 7 else 0)

main :: IO ()
main = bracket make requestFree $ \r -> allocaBytes 65536 $ \piece -> do
  let loop = do
        next <- requestNext r (-1)
        unless (next == shutDown) $ do
          _ <- check (pure next)
          serve r piece `catch` \e -> hPutStrLn stderr ("echo: " ++ show (e :: IOError))
          loop
  loop
 where
  make = throwErrnoIfNull "FCGX_RequestNew" (requestNew 0 takeSignals)
