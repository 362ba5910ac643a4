-- | A structure for each request in memory that the collector frees, and never FCGX_Free.
module Main (main) where

import Control.Monad (unless, void, when)
import qualified Data.ByteString.Char8 as B
import qualified Data.ByteString.Unsafe as B
import Foreign hiding (void)
import Foreign.C

-- | A pointer to an FCGX_Request.
type Request = Ptr ()

-- | A pointer to an FCGX_Stream.
type Stream = Ptr ()

foreign import ccall unsafe "FCGX_Init" initialise :: IO CInt
foreign import ccall unsafe "FCGX_InitRequest" initRequest :: Request -> CInt -> CInt -> IO CInt
foreign import ccall safe "FCGX_Accept_r" acceptRequest :: Request -> IO CInt
foreign import ccall safe "FCGX_Finish_r" finish :: Request -> IO ()
foreign import ccall safe "FCGX_GetStr" getStr :: Ptr CChar -> CInt -> Stream -> IO CInt
foreign import ccall safe "FCGX_PutStr" putStr' :: Ptr CChar -> CInt -> Stream -> IO CInt
foreign import ccall unsafe "FCGX_GetParam" getParam :: CString -> Ptr CString -> IO CString

sizeOfRequest, roomSize :: Int
sizeOfRequest = 80
roomSize = 4096

input, output, errors :: Request -> IO Stream
input request = peekByteOff request 8
output request = peekByteOff request 16
errors request = peekByteOff request 24

put :: Stream -> B.ByteString -> IO ()
put stream bytes = B.unsafeUseAsCStringLen bytes $ \(start, size) ->
  void (putStr' start (fromIntegral size) stream)

putHeader :: Request -> String -> String -> IO ()
putHeader request header name = do
  envp <- peekByteOff request 32
  value <- withCString name (`getParam` envp)
  unless (value == nullPtr) $ do
    out <- output request
    bytes <- B.packCString value
    put out (B.concat [B.pack header, B.pack ": ", bytes, B.pack "\r\n"])

serve :: Request -> IO ()
serve request = do
  out <- output request
  put out (B.pack "Content-Type: application/octet-stream\r\n")
  putHeader request "X-Method" "REQUEST_METHOD"
  putHeader request "X-Query" "QUERY_STRING"
  putHeader request "X-Empty" "EMPTY"
  putHeader request "X-Long" "LONG"
  put out (B.pack "\r\n")
  body <- input request
  allocaBytes roomSize $ \room ->
    let copy = do
          size <- getStr room (fromIntegral roomSize) body
          when (size > 0) (putStr' room size out >> copy)
     in copy
  errorStream <- errors request
  put errorStream (B.pack "served\n")

serveOne :: IO Bool
serveOne = do
  memory <- mallocForeignPtrBytes sizeOfRequest
  withForeignPtr memory $ \request -> do
    _ <- initRequest request 0 0
    result <- acceptRequest request
    when (result == 0) (serve request >> finish request)
    pure (result == 0)

main :: IO ()
main = initialise >> loop
  where
    loop = serveOne >>= (`when` loop)
